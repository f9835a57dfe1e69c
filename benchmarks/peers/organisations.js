// What the peers on Node share: the schema, and its two statements.
import pg from "pg";

export const typeDefs = /* GraphQL */ `
  enum IdentifierType {
    SIRET
  }
  enum OrganisationStatus {
    ACTIVE
    CLOSED
    UNKNOWN
  }
  enum ProblemCode {
    ORGANISATION_NOT_FOUND
  }
  input OrganisationIdentifierInput {
    type: IdentifierType!
    value: String!
  }
  interface Problem {
    code: ProblemCode!
    message: String!
  }
  type OrganisationNotFound implements Problem {
    code: ProblemCode!
    message: String!
  }
  type Organisation {
    name: String
    status: OrganisationStatus!
    onPortal: Boolean!
    postalCode: String
    city: String
  }
  union OrganisationResult = Organisation | OrganisationNotFound
  type OrganisationList {
    items: [OrganisationResult!]!
  }
  type Query {
    organisation(identifier: OrganisationIdentifierInput!): OrganisationResult!
    organisations(identifiers: [OrganisationIdentifierInput!]!): OrganisationList!
  }
`;

const SELECT = `
  SELECT r.siret, r.name, r.status, o.id IS NOT NULL AS "onPortal", r.postal_code AS "postalCode", r.city
  FROM register_entry r
  LEFT JOIN organisation o ON o.identifier_type = 'SIRET' AND o.identifier_value = r.siret
`;
const NOT_FOUND = {
  __typename: "OrganisationNotFound",
  code: "ORGANISATION_NOT_FOUND",
  message: "No organisation is known under this identifier.",
};

// Named statements are prepared once in each connection: the fastest that pg has. A hundred identifiers are one
// statement, so that a DataLoader would only add to its cost.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });

async function organisation(_, { identifier }) {
  const { rows } = await pool.query({
    name: "one",
    text: `${SELECT} WHERE r.siret = $1`,
    values: [identifier.value],
  });
  return rows.length ? found(rows[0]) : NOT_FOUND;
}

async function organisations(_, { identifiers }) {
  const sirets = identifiers.map((identifier) => identifier.value);
  const { rows } = await pool.query({ name: "many", text: `${SELECT} WHERE r.siret = ANY($1)`, values: [sirets] });
  const bySiret = new Map(rows.map((row) => [row.siret, found(row)]));
  return { items: sirets.map((siret) => bySiret.get(siret) ?? NOT_FOUND) };
}

function found(row) {
  row.__typename = "Organisation";
  return row;
}

export const resolvers = { Query: { organisation, organisations } };
