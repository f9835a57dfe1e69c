// @ts-check
/** On a developer's machine, show the way to the service's own mailbox, which gets the mails. */

import { byId } from "./dom.js";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

export async function offerMailbox() {
  if (!LOOPBACK.includes(location.hostname)) return;
  const response = await fetch("mailbox/messages", { method: "HEAD" }).catch(() => null);
  byId("development", HTMLElement).hidden = !response?.ok;
}
