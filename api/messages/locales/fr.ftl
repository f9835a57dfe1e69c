# Une espace fine insécable ( ) précède ; : ! ?, l'apostrophe est courbe (’).

## Refus (ProblemCode)

problem-INVALID_INPUT = Certains champs sont à corriger.
problem-TOO_MANY_REQUESTS =
    { $seconds ->
        [one] Trop de demandes. Réessayez dans { $seconds } seconde.
       *[other] Trop de demandes. Réessayez dans { $seconds } secondes.
    }
problem-IDEMPOTENCY_CONFLICT = Cette demande a déjà été envoyée avec d’autres données.
problem-REGISTRATION_NOT_FOUND = Cette inscription n’existe pas ou n’est plus valable. Recommencez la création du compte.
problem-CAPTCHA_REJECTED =
    { $attemptsLeft ->
        [0] La suite de caractères ne correspond pas.
        [one] La suite de caractères ne correspond pas. Il vous reste { $attemptsLeft } essai.
       *[other] La suite de caractères ne correspond pas. Il vous reste { $attemptsLeft } essais.
    }
problem-CAPTCHA_EXPIRED = Cette image n’est plus valable. Reproduisez la nouvelle suite de caractères.
problem-CAPTCHA_ATTEMPTS_EXHAUSTED = Le nombre d’essais est épuisé. Recommencez la création du compte.
problem-ACTIVATION_LINK_UNKNOWN = Ce lien d’activation n’est pas valable. Vérifiez qu’il est complet, ou demandez un nouveau lien.
problem-ACTIVATION_LINK_EXPIRED = Ce lien d’activation a expiré. Demandez un nouveau lien.
problem-ACTIVATION_LINK_USED = Ce lien a déjà servi : le compte est actif. Vous pouvez vous connecter.
problem-ACTIVATION_LINK_USED-with-url = Ce lien a déjà servi : le compte est actif. Connectez-vous sur { $url }.
problem-ACTIVATION_LINK_SUPERSEDED = Un compte a déjà été activé pour cette adresse par une autre demande. Ce lien ne sert plus.
problem-ORGANISATION_NOT_FOUND = Aucune organisation n’est connue sous cet identifiant. Vous pouvez la déclarer en créant votre compte.

## Champs (FieldProblemCode)

field-REQUIRED = Ce champ est obligatoire.
field-TOO_LONG = { $max } caractères au plus.
field-TOO_MANY_ITEMS = { $max } éléments au plus.
field-INVALID_CHARACTERS = Ce champ contient des caractères qui ne sont pas admis.
field-INVALID_CHARACTERS-character = Ce champ contient des caractères qui ne sont pas admis. Le premier est « { $quoted } ».
field-INVALID_CHARACTERS-link = « { $quoted } » deviendrait un lien dans les e-mails. Écrivez-le autrement, par exemple avec une espace.
field-INVALID_CHARACTERS-phone = « { $quoted } » ressemble à un numéro de téléphone, qui n’est pas admis dans ce champ.
field-INVALID_FORMAT = Ce champ n’a pas le format attendu.
field-EMAIL_INVALID = Cette adresse électronique n’est pas valable. Exemple : prenom.nom@exemple.fr
field-EMAIL_INVALID-character = « { $quoted } » n’est pas admis avant le @ d’une adresse électronique.
field-EMAIL_MISMATCH = Les deux adresses électroniques ne sont pas les mêmes.
field-PHONE_INVALID = Ce numéro de téléphone n’est pas valable. Exemples : 06 12 34 56 78, +33 6 12 34 56 78
field-TERMS_NOT_ACCEPTED = Vous devez accepter les conditions pour créer un compte.
field-TERMS_OUTDATED = Les conditions ont changé. Lisez et acceptez la nouvelle version.
field-IDENTIFIER_INVALID_LENGTH = Cet identifiant n’a pas le bon nombre de caractères.
field-IDENTIFIER_INVALID_FORMAT = Cet identifiant n’a pas le format attendu.
field-IDENTIFIER_INVALID_CHECKSUM = Cet identifiant comporte une erreur de saisie : la clé de contrôle ne correspond pas.
field-IDENTIFIER_INVALID_COUNTRY = Le code pays de cet identifiant ne convient pas au type choisi.
field-ORGANISATION_CLOSED = Cet établissement est fermé d’après le répertoire national.
field-PASSWORD_TOO_SHORT = { $min } caractères au moins.
field-PASSWORD_TOO_LONG = { $max } caractères au plus.
field-PASSWORD_TOO_FEW_CHARACTER_TYPES = Au moins { $min } de ces types : majuscules, minuscules, chiffres, caractères spéciaux.
field-PASSWORD_TOO_GUESSABLE = Ce mot de passe est trop facile à deviner.
field-PASSWORD_CONTAINS_PERSONAL_DATA = Ce mot de passe contient votre nom ou votre adresse.
field-PASSWORD_MISMATCH = Les deux mots de passe ne sont pas les mêmes.

## Types d’identifiant

identifier-label-SIRET = SIRET
identifier-label-UE_HORS_FRANCE = Union européenne, hors France
identifier-label-HORS_UE = Hors Union européenne
identifier-label-RIDET = RIDET (Nouvelle-Calédonie)
identifier-label-TAHITI = Numéro TAHITI (Polynésie française)
identifier-label-AUTRE = Autre (en cours d’immatriculation…)
identifier-label-PARTICULIER = Particulier

identifier-field-SIRET = Identifiant Siret
identifier-field-UE_HORS_FRANCE = Numéro de TVA intracommunautaire
identifier-field-HORS_UE = Code pays et nom de l’organisation
identifier-field-RIDET = Numéro RIDET
identifier-field-TAHITI = Numéro TAHITI
identifier-field-AUTRE = Identifiant
identifier-field-PARTICULIER = Identifiant

identifier-hint-SIRET = 14 chiffres : les 9 du SIREN, puis les 5 de l’établissement. Indiquez le numéro de votre organisation, pas celui de votre client public.
identifier-hint-UE_HORS_FRANCE = Code du pays en deux lettres, puis le numéro de TVA, 18 caractères au plus. Indiquez le numéro de votre organisation, pas celui de votre client public.
identifier-hint-HORS_UE = Code du pays en deux lettres, puis les 16 premiers caractères du nom de l’organisation, sans accent. Pour Wallis-et-Futuna : FRWF, puis les 14 premiers caractères.
identifier-hint-RIDET = 10 chiffres : 7 pour l’entreprise, 3 pour l’établissement. Indiquez le numéro de votre organisation, pas celui de votre client public.
identifier-hint-TAHITI = 9 caractères : un chiffre ou une lettre, 5 chiffres, puis 3 chiffres pour l’établissement. Indiquez le numéro de votre organisation, pas celui de votre client public.
identifier-hint-AUTRE = 18 caractères au plus : lettres, chiffres, tirets.
identifier-hint-PARTICULIER = 18 caractères au plus : lettres, chiffres, tirets.

## Organisations

organisation-on-portal = Cette organisation est déjà sur le portail : votre demande de rattachement sera soumise à son gestionnaire.
organisation-closed = Cet établissement est fermé d’après le répertoire national.
organisation-can-be-founded = Cette organisation n’est pas encore sur le portail : vous en serez le gestionnaire.
membership-MANAGER-ACTIVE = Vous êtes le gestionnaire de cette organisation.
membership-MEMBER-PENDING = Votre demande de rattachement est soumise au gestionnaire de cette organisation.
declared-organisation-founded = Cette organisation sera créée sur le portail et vous en serez le gestionnaire.
declared-organisation-joined = Cette organisation est déjà sur le portail : votre demande de rattachement sera soumise à son gestionnaire.

## Conditions

terms-survey-consent = J’accepte que mes coordonnées servent à m’inviter à l’enquête de satisfaction du portail, et à rien d’autre. Je peux retirer cet accord à tout moment, aussi simplement que je l’ai donné.

## Captcha

captcha-image-description = Image d’une suite de caractères déformés, à reproduire pour montrer que vous n’êtes pas un robot. Une version sonore est proposée.

## Inscription

activation-mail-sent = Deux courriels sont en route vers { $email } : un récapitulatif, et le lien d’activation.
activation-mail-requested = Si une inscription attend son activation pour { $email }, un courriel vient de partir vers cette adresse.

## Activation

link-USABLE = Ce lien active le compte de { $firstName } { $lastName }. Choisissez un mot de passe.
account-activated = Votre compte est actif. Vous pouvez vous connecter.

## Mot de passe

password-policy = { $min } caractères au moins, dont au moins { $types } de ces types : majuscules, minuscules, chiffres, caractères spéciaux. Ni votre nom, ni votre adresse, ni un mot de passe facile à deviner.
password-strength-0 = Très faible
password-strength-1 = Faible
password-strength-2 = Moyen
password-strength-3 = Fort
password-strength-4 = Très fort
password-suggestion-dictionary = Évitez les mots et les mots de passe courants, même à l’envers ou avec des chiffres à la place des lettres.
password-suggestion-spatial = Évitez les suites de touches du clavier.
password-suggestion-repeat = Évitez les répétitions.
password-suggestion-sequence = Évitez les suites comme « abc » ou « 6543 ».
password-suggestion-regex = Évitez les années récentes.
password-suggestion-date = Évitez les dates et les années.
password-suggestion-words = Ajoutez un ou deux mots peu courants.

## Courriels

mail-summary-subject = Récapitulatif de votre inscription
mail-activation-subject = Activez votre compte
mail-account-exists-subject = Vous avez déjà un compte
