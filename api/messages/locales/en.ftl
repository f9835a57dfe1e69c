## Refusals (ProblemCode)

problem-INVALID_INPUT = Some fields need your attention.
problem-TOO_MANY_REQUESTS =
    { $seconds ->
        [one] Too many requests. Try again in { $seconds } second.
       *[other] Too many requests. Try again in { $seconds } seconds.
    }
problem-IDEMPOTENCY_CONFLICT = This request was sent before, with other data.
problem-REGISTRATION_NOT_FOUND = This registration does not exist or is no longer valid. Start again.
problem-CAPTCHA_REJECTED =
    { $attemptsLeft ->
        [0] The characters don’t match.
        [one] The characters don’t match. You have { $attemptsLeft } attempt left.
       *[other] The characters don’t match. You have { $attemptsLeft } attempts left.
    }
problem-CAPTCHA_EXPIRED = This picture is no longer valid. Copy the new characters.
problem-CAPTCHA_ATTEMPTS_EXHAUSTED = No attempts are left. Start again.
problem-ACTIVATION_LINK_UNKNOWN = This activation link is not valid. Check that it is complete, or ask for a new one.
problem-ACTIVATION_LINK_EXPIRED = This activation link has expired. Ask for a new one.
problem-ACTIVATION_LINK_USED = This link has been used: the account is active. You can sign in.
problem-ACTIVATION_LINK_USED-with-url = This link has been used: the account is active. Sign in at { $url }.
problem-ACTIVATION_LINK_SUPERSEDED = An account has been activated for this address by another request. This link is no longer needed.
problem-ORGANISATION_NOT_FOUND = No organisation is known under this identifier. You can declare it when you create your account.

## Fields (FieldProblemCode)

field-REQUIRED = This field is required.
field-TOO_LONG = At most { $max } characters.
field-TOO_MANY_ITEMS = At most { $max } items.
field-INVALID_CHARACTERS = This field has characters that are not allowed.
field-INVALID_CHARACTERS-character = This field has characters that are not allowed. The first is “{ $quoted }”.
field-INVALID_CHARACTERS-link = “{ $quoted }” would become a link in e-mails. Write it otherwise, for instance with a space.
field-INVALID_CHARACTERS-phone = “{ $quoted }” looks like a phone number, which is not allowed in this field.
field-INVALID_FORMAT = This field does not have the expected format.
field-EMAIL_INVALID = This e-mail address is not valid. Example: first.last@example.com
field-EMAIL_INVALID-character = “{ $quoted }” is not allowed before the @ of an e-mail address.
field-EMAIL_MISMATCH = The two e-mail addresses are not the same.
field-PHONE_INVALID = This phone number is not valid. Examples: 06 12 34 56 78, +33 6 12 34 56 78
field-TERMS_NOT_ACCEPTED = You must accept the terms to create an account.
field-TERMS_OUTDATED = The terms have changed. Read and accept the new version.
field-IDENTIFIER_INVALID_LENGTH = This identifier does not have the right number of characters.
field-IDENTIFIER_INVALID_FORMAT = This identifier does not have the expected format.
field-IDENTIFIER_INVALID_CHECKSUM = This identifier has a typing error: its check digit does not match.
field-IDENTIFIER_INVALID_COUNTRY = The country code of this identifier does not fit the chosen type.
field-ORGANISATION_CLOSED = This establishment is closed according to the national register.
field-PASSWORD_TOO_SHORT = At least { $min } characters.
field-PASSWORD_TOO_LONG = At most { $max } characters.
field-PASSWORD_TOO_FEW_CHARACTER_TYPES = At least { $min } of these types: upper case, lower case, digits, special characters.
field-PASSWORD_TOO_GUESSABLE = This password is too easy to guess.
field-PASSWORD_CONTAINS_PERSONAL_DATA = This password contains your name or your address.
field-PASSWORD_MISMATCH = The two passwords are not the same.

## Identifier types

identifier-label-SIRET = SIRET
identifier-label-UE_HORS_FRANCE = European Union, outside France
identifier-label-HORS_UE = Outside the European Union
identifier-label-RIDET = RIDET (New Caledonia)
identifier-label-TAHITI = TAHITI number (French Polynesia)
identifier-label-AUTRE = Other (being registered…)
identifier-label-PARTICULIER = Private individual

identifier-field-SIRET = SIRET number
identifier-field-UE_HORS_FRANCE = VAT number
identifier-field-HORS_UE = Country code and name of the organisation
identifier-field-RIDET = RIDET number
identifier-field-TAHITI = TAHITI number
identifier-field-AUTRE = Identifier
identifier-field-PARTICULIER = Identifier

identifier-hint-SIRET = 14 digits: the 9 of the SIREN, then the 5 of the establishment. Enter the number of your own organisation, not of your public customer.
identifier-hint-UE_HORS_FRANCE = The country code in two letters, then the VAT number, at most 18 characters. Enter the number of your own organisation, not of your public customer.
identifier-hint-HORS_UE = The country code in two letters, then the first 16 characters of the organisation’s name, without accents. For Wallis and Futuna: FRWF, then the first 14 characters.
identifier-hint-RIDET = 10 digits: 7 for the company, 3 for the establishment. Enter the number of your own organisation, not of your public customer.
identifier-hint-TAHITI = 9 characters: a digit or a letter, 5 digits, then 3 digits for the establishment. Enter the number of your own organisation, not of your public customer.
identifier-hint-AUTRE = At most 18 characters: letters, digits, hyphens.
identifier-hint-PARTICULIER = At most 18 characters: letters, digits, hyphens.

## Organisations

organisation-on-portal = This organisation is on the portal already: your request to join will go to its manager.
organisation-closed = This establishment is closed according to the national register.
organisation-can-be-founded = This organisation is not on the portal yet: you will be its manager.
membership-MANAGER-ACTIVE = You are the manager of this organisation.
membership-MEMBER-PENDING = Your request to join has gone to the manager of this organisation.
declared-organisation-founded = This organisation will be created on the portal and you will be its manager.
declared-organisation-joined = This organisation is on the portal already: your request to join will go to its manager.

## Terms

terms-survey-consent = I agree that my contact details are used to invite me to the portal’s satisfaction survey, and for nothing else. I can withdraw this consent at any time, as easily as I gave it.

## Captcha

captcha-image-description = Picture of distorted characters, to copy in order to show that you are not a robot. A spoken version is available.

## Sign-up

activation-mail-sent = Two e-mails are on their way to { $email }: a summary, and the activation link.
activation-mail-requested = If a registration is awaiting activation at { $email }, an e-mail has just left for that address.

## Activation

link-USABLE = This link activates the account of { $firstName } { $lastName }. Choose a password.
account-activated = Your account is active. You can sign in.

## Password

password-policy = At least { $min } characters, with at least { $types } of these types: upper case, lower case, digits, special characters. Neither your name, nor your address, nor a password that is easy to guess.
password-strength-0 = Very weak
password-strength-1 = Weak
password-strength-2 = Fair
password-strength-3 = Strong
password-strength-4 = Very strong
password-suggestion-dictionary = Avoid common words and passwords, even reversed or with digits in place of letters.
password-suggestion-spatial = Avoid rows of keys.
password-suggestion-repeat = Avoid repetitions.
password-suggestion-sequence = Avoid sequences like “abc” or “6543”.
password-suggestion-regex = Avoid recent years.
password-suggestion-date = Avoid dates and years.
password-suggestion-words = Add a word or two that are uncommon.

## E-mails

mail-summary-subject = Summary of your registration
mail-activation-subject = Activate your account
mail-account-exists-subject = You already have an account
