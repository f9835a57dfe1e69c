// GraphQL Yoga on Node's own HTTP server, as its documents show. It caches parsed and validated documents by itself.
import { createServer } from "node:http";

import { createSchema, createYoga } from "graphql-yoga";

import { resolvers, typeDefs } from "./organisations.js";

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  graphiql: false,
  landingPage: false,
  logging: false,
});
createServer(yoga).listen(Number(process.env.PORT), "127.0.0.1");
