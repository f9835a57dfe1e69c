/** Expected refusals: the members of result unions that implement `Problem`. */

/** The fields that every refusal has, and those that some add. */
interface Problem {
  code: string;
  message: string;
  fields?: { path: string[]; message: string }[];
  retryAfterSeconds?: number;
}

/** A refusal that ends a program. A form shows its message, and each field's message below the field. */
export class Refused extends Error {
  constructor({ code, message, fields = [], retryAfterSeconds }: Problem) {
    const lines = fields.map((field) => `  ${field.path.join(".")}: ${field.message}`);
    if (retryAfterSeconds !== undefined) lines.push(`  Again in ${retryAfterSeconds} seconds.`);
    super([`${code}: ${message}`, ...lines].join("\n"));
  }
}

/** For default branches: the compiler makes sure that today's members are handled; this describes later ones. */
export function unforeseen(answer: never): never {
  const {
    __typename,
    code = __typename,
    message = "newer than this client",
  } = answer as Partial<Problem> & {
    __typename: string;
  };
  throw new Refused({ code, message });
}
