/** What clients did and saw, as values. Times are milliseconds of one clock that never goes back. */

/** A pair as reads show it. Values are unique: no two writes of a history put the same one. */
export interface Pair {
  readonly key: string;
  readonly value: string;
  readonly modRevision: number;
  readonly createRevision: number;
  readonly version: number;
  /** In hexadecimal; absent for none. */
  readonly lease?: string;
}

/** What one revision did to one key, as a watch tells it. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  /** What is stored from now on; undefined: the key was deleted. */
  readonly pair: Pair | undefined;
}

/** Keys from `key` up to `end`, which is not one of them; without an end, one key. */
export interface Span {
  readonly key: string;
  readonly end?: string;
}

export type Write =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease?: string }
  | ({ readonly kind: "delete" } & Span);

/** Holds when the key was last written at this revision; 0: when there is no such key. */
export interface Compare {
  readonly key: string;
  readonly modRevision: number;
}

export type Request =
  | Write
  | ({
      readonly kind: "range";
      readonly isSerializable?: boolean;
      readonly revision?: number;
    } & Span)
  | {
      readonly kind: "txn";
      readonly compares: readonly Compare[];
      /** Either branch may be empty. */
      readonly success: readonly Write[];
      readonly failure: readonly Write[];
    }
  | { readonly kind: "grant"; readonly lease: string; readonly ttlSeconds: number }
  | { readonly kind: "renew"; readonly lease: string }
  | { readonly kind: "revoke"; readonly lease: string }
  /** Anything else that the cluster was asked for and that changes no key. */
  | { readonly kind: "other"; readonly name: string };

/** What of an answer can be checked. */
export interface Answer {
  /** Of the header. */
  readonly revision: number;
  readonly pairs?: readonly Pair[];
  readonly deleted?: number;
  readonly succeeded?: boolean;
  /** Of grants and renewals: seconds; 0 or less: there is no such lease. */
  readonly ttlSeconds?: number;
}

/** One call of one client. Without an answer nobody knows whether it was carried out. */
export interface Operation {
  /** Who called, for reports. */
  readonly by: string;
  readonly calledAt: number;
  readonly request: Request;
  endedAt?: number;
  answer?: Answer;
  /** Refused in a way that says it was not, and never will be, carried out. */
  isVoid?: boolean;
}

/** All that one watch was told, over all its connections. */
export interface Watched extends Span {
  readonly by: string;
  /** The first revision that it asked for. */
  readonly from: number;
  /** In the order of arrival. */
  readonly messages: readonly Told[];
}

/** One message of a watch: all changes of one or more whole revisions, or a bookmark. */
export interface Told {
  readonly at: number;
  readonly changes: readonly Change[];
  /** With no changes: everything up to this revision has been told. */
  readonly bookmark?: number;
}

export interface History {
  readonly operations: readonly Operation[];
  readonly watches: readonly Watched[];
}

export function isIn(key: string, span: Span): boolean {
  return span.end === undefined ? key === span.key : key >= span.key && key < span.end;
}

export function writesOf(request: Request, answer: Answer | undefined): readonly Write[] {
  if (request.kind === "put" || request.kind === "delete") return [request];
  if (request.kind !== "txn" || answer === undefined) return [];
  return answer.succeeded === true ? request.success : request.failure;
}
