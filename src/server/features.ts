import { GoTextError, parseBool } from "../cli/index.ts";

type Stage = "ALPHA" | "BETA";

interface Gate {
  readonly isDefault: boolean;
  readonly stage: Stage;
}

const alpha: Gate = { isDefault: false, stage: "ALPHA" };
const beta: Gate = { isDefault: true, stage: "BETA" };

/** The feature gates of etcd 3.7. */
export const GATES = {
  CompactHashCheck: alpha,
  FastLeaseKeepAlive: beta,
  InitialCorruptCheck: alpha,
  LeaseCheckpoint: alpha,
  LeaseCheckpointPersist: alpha,
  PriorityRequest: alpha,
  SetMemberLocalAddr: alpha,
  StopGRPCServiceOnDefrag: alpha,
  TxnModeWriteWithSharedBuffer: beta,
} as const satisfies Record<string, Gate>;

export type GateName = keyof typeof GATES;

/** These stand for all gates of a stage that are not named themselves. */
const WHOLE_STAGES: Readonly<Record<string, Stage>> = { AllAlpha: "ALPHA", AllBeta: "BETA" };

/** Whether each gate is open. */
export type Features = ReadonlyMap<GateName | "AllAlpha" | "AllBeta", boolean>;

/** Why a text is no list of `Gate=true` pairs, in etcd's words; undefined if it is one. */
export function gatesProblem(text: string): string | undefined {
  try {
    parsePairs(text);
    return undefined;
  } catch (error) {
    if (error instanceof GoTextError) return error.message;
    throw error;
  }
}

/** What `--feature-gates` says, over the defaults. Throws GoTextError. */
export function parseFeatures(text: string): Features {
  const pairs = parsePairs(text);
  const features = new Map<string, boolean>();
  for (const whole of Object.keys(WHOLE_STAGES)) features.set(whole, pairs.get(whole) ?? false);
  for (const [name, { isDefault, stage }] of Object.entries<Gate>(GATES)) {
    const whole = pairs.get(stage === "ALPHA" ? "AllAlpha" : "AllBeta");
    features.set(name, pairs.get(name) ?? whole ?? isDefault);
  }
  return features as Map<GateName, boolean>;
}

function parsePairs(text: string): ReadonlyMap<string, boolean> {
  const pairs = new Map<string, boolean>();
  for (const part of text.split(",")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    if (equals < 0) throw new GoTextError(`missing bool value for ${name}`);
    pairs.set(name, gateValue(name, part.slice(equals + 1).trim()));
  }
  for (const name of pairs.keys()) {
    if (Object.hasOwn(GATES, name) || Object.hasOwn(WHOLE_STAGES, name)) continue;
    throw new GoTextError(`unrecognized feature gate: ${name}`);
  }
  return pairs;
}

function gateValue(name: string, text: string): boolean {
  try {
    return parseBool(text);
  } catch (error) {
    const { message } = error as Error;
    throw new GoTextError(`invalid value of ${name}=${text}, err: ${message}`);
  }
}
