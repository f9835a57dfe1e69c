// @ts-check
/** The reference page: a client of the public API like any other. */

import { offerMailbox } from "./development.js";
import { byId, within } from "./dom.js";
import { startCaptcha } from "./journey/captcha.js";
import { startDetails } from "./journey/details.js";
import { startOrganisation } from "./journey/organisation.js";
import { startPassword } from "./journey/password.js";
import { startRegistration } from "./journey/registration.js";
import { startActivationMail } from "./journey/activation-mail.js";
import { offerLanguages, translate } from "./language.js";
import { defineStep, showAgain, startSteps } from "./steps.js";

translate();
offerLanguages(showAgain);
within(document, ".languages").hidden = false;
byId("waiting", HTMLElement).classList.remove("starting");
defineStep("welcome", () => {});
startDetails();
startOrganisation();
startRegistration();
startCaptcha();
startActivationMail();
startPassword();
startSteps();
offerMailbox();
