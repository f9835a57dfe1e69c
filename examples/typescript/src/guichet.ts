/** The caller of the service: one function, typed by its document. */

import type { TypedDocumentString } from "./generated/graphql.js";

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; extensions?: { code?: string; reference?: string } }[];
}

/** An error that no person can mend. The service's log has more under its reference. */
export class ServiceError extends Error {}

export class Guichet {
  /** The language of every message. In a browser, leave it to the browser's own Accept-Language. */
  constructor(
    readonly url: string,
    readonly language: string,
  ) {}

  async execute<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
    const { data, errors = [] } = await this.request<Answer<Data>>("/graphql", {
      method: "POST",
      headers: {
        Accept: "application/graphql-response+json",
        "Accept-Language": this.language,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ query: document.toString(), variables }),
    });
    if (data && errors.length === 0) return data;
    const lines = errors.map(({ message, extensions = {} }) => Object.values({ ...extensions, message }).join(" "));
    throw new ServiceError(lines.join("\n") || "An answer without data");
  }

  /** Returns the JSON of any status: an answer to a request that was not executed says why. */
  async request<Body>(path: string, init: RequestInit = {}): Promise<Body> {
    try {
      const response = await fetch(this.url + path, { ...init, signal: AbortSignal.timeout(10_000) });
      return (await response.json()) as Body;
    } catch (cause) {
      throw new ServiceError(`No answer in JSON from ${this.url}${path}`, { cause });
    }
  }
}
