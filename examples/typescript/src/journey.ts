/** A whole sign-up, from the form to the active account. Its only argument is the URL of the service. */

import { randomUUID } from "node:crypto";
import { activationToken } from "./development.js";
import * as operations from "./generated/graphql.js";
import { Guichet, ServiceError } from "./guichet.js";
import { Refused, unforeseen } from "./refusals.js";

const EMAIL = `camille.${randomUUID()}@exemple.fr`;
const IDENTIFIER: operations.OrganisationIdentifierInput = { type: "SIRET", value: "732 829 320 00074" };
const CAPTCHA = "ABC123"; // A person reads it in the picture; the service was started with this answer.
const PASSWORD = "Soleil-Brumeux-42";

async function listIdentifierTypes(guichet: Guichet): Promise<void> {
  const { identifierTypes } = await guichet.execute(operations.IdentifierTypesDocument, {});
  const hints = identifierTypes.map(({ label, formatHint }) => `\n  ${label}: ${formatHint}`);
  console.log(`An organisation is known by one of these:${hints.join("")}`);
}

async function findOrganisation(guichet: Guichet): Promise<void> {
  const variables = { identifier: IDENTIFIER };
  const { organisation } = await guichet.execute(operations.FindOrganisationDocument, variables);
  switch (organisation.__typename) {
    case "Organisation":
    case "OrganisationNotFound": // No obstacle: the person who gives its name founds it on the portal.
      return console.log(`${IDENTIFIER.value}: ${organisation.message}`);
    case "InvalidIdentifier":
    case "TooManyRequests":
      throw new Refused(organisation);
    default:
      return unforeseen(organisation);
  }
}

async function readTerms(guichet: Guichet): Promise<string> {
  const { terms } = await guichet.execute(operations.TermsDocument, {});
  console.log(`The terms, version ${terms.version}: ${terms.url}`);
  return terms.version;
}

async function createAccount(guichet: Guichet, termsVersion: string): Promise<string> {
  const input: operations.CreateAccountInput = {
    email: EMAIL,
    emailConfirmation: EMAIL,
    firstName: "Camille",
    lastName: "Durand",
    acceptTerms: true,
    termsVersion,
    organisation: { identifier: IDENTIFIER, name: "Exemple SA" },
    language: "EN",
    // Make one key for each form. After a lost connection, send the same form again with the same key.
    idempotencyKey: randomUUID(),
  };
  const { createAccount: answer } = await guichet.execute(operations.CreateAccountDocument, { input });
  switch (answer.__typename) {
    case "PendingRegistration":
      console.log(`The form is accepted; attempts at the captcha: ${answer.attemptsLeft}`);
      return answer.id;
    case "InvalidInput":
    case "IdempotencyConflict":
    case "TooManyRequests":
      throw new Refused(answer);
    default:
      return unforeseen(answer);
  }
}

async function verifyCaptcha(guichet: Guichet, registrationId: string): Promise<void> {
  const variables = { input: { registrationId, answer: CAPTCHA } };
  const { verifyCaptcha: answer } = await guichet.execute(operations.VerifyCaptchaDocument, variables);
  switch (answer.__typename) {
    case "ActivationMailSent":
      return console.log(answer.message);
    case "CaptchaRejected": // A form shows the fresh picture, answer.registration.captcha, and asks again.
    case "RegistrationNotFound":
    case "TooManyRequests":
      throw new Refused(answer);
    default:
      return unforeseen(answer);
  }
}

async function inspectActivationLink(guichet: Guichet, token: string): Promise<void> {
  const { inspectActivationLink: link } = await guichet.execute(operations.InspectActivationLinkDocument, { token });
  switch (link.__typename) {
    case "ActivationLink": // If the link is not USABLE, the message says what to do.
      return console.log(`The link is ${link.state}: ${link.message}`);
    case "TooManyRequests":
      throw new Refused(link);
    default:
      return unforeseen(link);
  }
}

async function checkPassword(guichet: Guichet, token: string): Promise<void> {
  const variables = { input: { password: PASSWORD, activationToken: token } };
  const { checkPassword: answer } = await guichet.execute(operations.CheckPasswordDocument, variables);
  switch (answer.__typename) {
    case "PasswordCheck": // This is advice for the person; activateAccount decides.
      return console.log(`The password: ${[answer.strengthLabel, ...answer.suggestions].join(" ")}`);
    case "InvalidInput":
    case "TooManyRequests":
      throw new Refused(answer);
    default:
      return unforeseen(answer);
  }
}

async function activateAccount(guichet: Guichet, token: string): Promise<void> {
  const variables = { input: { token, password: PASSWORD, passwordConfirmation: PASSWORD } };
  const { activateAccount: answer } = await guichet.execute(operations.ActivateAccountDocument, variables);
  switch (answer.__typename) {
    case "AccountActivated":
      return console.log(`${answer.account.email}: ${answer.message}`);
    case "InvalidInput":
    case "ActivationLinkRefused":
    case "TooManyRequests":
      throw new Refused(answer);
    default:
      return unforeseen(answer);
  }
}

async function signUp(guichet: Guichet): Promise<void> {
  await listIdentifierTypes(guichet);
  await findOrganisation(guichet);
  const registrationId = await createAccount(guichet, await readTerms(guichet));
  await verifyCaptcha(guichet, registrationId);
  const token = await activationToken(guichet, EMAIL);
  await inspectActivationLink(guichet, token);
  await checkPassword(guichet, token);
  await activateAccount(guichet, token);
}

try {
  await signUp(new Guichet(process.argv[2] ?? "http://127.0.0.1:8000", "en"));
} catch (error) {
  if (!(error instanceof Refused || error instanceof ServiceError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
