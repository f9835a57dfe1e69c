/** The person's part, for programs. Only development has this mailbox; in production the person opens the link. */

import { setTimeout as sleep } from "node:timers/promises";
import { type Guichet, ServiceError } from "./guichet.js";

interface Mailbox {
  messages: { to: string; text: string }[];
}

const WAIT_SECONDS = 30;

/** Returns the token of an activation link. Your page finds it in `location.hash` and removes it from there. */
export async function activationToken(guichet: Guichet, email: string): Promise<string> {
  for (const end = Date.now() + WAIT_SECONDS * 1000; Date.now() < end; await sleep(200)) {
    const { messages } = await guichet.request<Mailbox>("/mailbox/messages");
    const texts = messages.filter(({ to }) => to.includes(email)).map(({ text }) => text);
    const token = /#token=(\S+)/.exec(texts.join("\n"))?.[1];
    if (token !== undefined) return token;
  }
  throw new ServiceError(`No activation link came in ${WAIT_SECONDS} seconds`);
}
