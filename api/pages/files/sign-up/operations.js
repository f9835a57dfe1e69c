// @ts-check
/** The operations of the contract that this page sends. */

const ORGANISATION = `
  fragment Known on Organisation {
    name status postalCode city message
  }
`;
const PENDING = `
  fragment Pending on PendingRegistration {
    id state expiresInSeconds
    captcha { image imageDescription length alphabet expiresInSeconds }
    organisation { identifier { formatted } organisation { name } message }
  }
`;
const REFUSED = `
  fragment Refused on Problem {
    code message
    ... on InvalidInput { fields { path message } }
    ... on TooManyRequests { retryAfterSeconds }
  }
`;

export const SETUP = `
  query Setup {
    identifierTypes {
      type label fieldLabel formatHint ignoredCharacters pattern minLength maxLength example inputMode hasLookup
    }
    terms { version url surveyConsentText }
    passwordPolicy { minLength minCharacterTypes }
  }
`;
export const FIND_ORGANISATION = `
  query FindOrganisation($identifier: OrganisationIdentifierInput!) {
    organisation(identifier: $identifier) { __typename ...Known ...Refused }
  }
  ${ORGANISATION} ${REFUSED}
`;
export const CREATE_ACCOUNT = `
  mutation CreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) { __typename ...Pending ...Refused }
  }
  ${PENDING} ${REFUSED}
`;
export const RENEW_CAPTCHA = `
  mutation RenewCaptcha($registrationId: ID!) {
    renewCaptcha(registrationId: $registrationId) { __typename ...Pending ...Refused }
  }
  ${PENDING} ${REFUSED}
`;
export const RENEW_CAPTCHA_WITH_SOUND = `
  mutation RenewCaptchaWithSound($registrationId: ID!) {
    renewCaptcha(registrationId: $registrationId) {
      __typename ...Pending ...Refused
      ... on PendingRegistration { captcha { audio } }
    }
  }
  ${PENDING} ${REFUSED}
`;
export const VERIFY_CAPTCHA = `
  mutation VerifyCaptcha($input: VerifyCaptchaInput!) {
    verifyCaptcha(input: $input) {
      __typename
      ... on ActivationMailSent { email linkLifetimeMinutes }
      ... on CaptchaRejected { registration { ...Pending } }
      ...Refused
    }
  }
  ${PENDING} ${REFUSED}
`;
export const RESEND_ACTIVATION_MAIL = `
  mutation ResendActivationMail($input: ResendActivationMailInput!) {
    resendActivationMail(input: $input) {
      __typename ... on ActivationMailRequested { message } ...Refused
    }
  }
  ${REFUSED}
`;
export const INSPECT_ACTIVATION_LINK = `
  mutation InspectActivationLink($token: String!) {
    inspectActivationLink(token: $token) {
      __typename
      ... on ActivationLink {
        state email firstName lastName expiresInSeconds message
        organisation { identifier { formatted } organisation { name } message }
      }
      ...Refused
    }
  }
  ${REFUSED}
`;
export const CHECK_PASSWORD = `
  mutation CheckPassword($input: CheckPasswordInput!) {
    checkPassword(input: $input) {
      __typename
      ... on PasswordCheck {
        score strengthLabel suggestions problems { code }
      }
      ...Refused
    }
  }
  ${REFUSED}
`;
export const ACTIVATE_ACCOUNT = `
  mutation ActivateAccount($input: ActivateAccountInput!) {
    activateAccount(input: $input) {
      __typename
      ... on AccountActivated {
        nextUrl account { memberships { organisation { message } } }
      }
      ...Refused
    }
  }
  ${REFUSED}
`;
