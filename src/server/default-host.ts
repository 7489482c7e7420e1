import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

const UP = 0x1;

/**
 * The IPv4 address of this machine on the interface of its default route: what others may reach it
 * by, when it listens on all addresses. Undefined where there is none, or not to be found.
 */
export function defaultHost(): string | undefined {
  const name = defaultInterface();
  if (name === undefined) return undefined;
  return networkInterfaces()[name]?.find(({ family }) => family === "IPv4")?.address;
}

/** Linux lists its routes as text: name, destination, gateway and flags in hexadecimal, and more. */
function defaultInterface(): string | undefined {
  for (const line of readRoutes().split("\n").slice(1)) {
    const [name, destination, , flags, , , , mask] = line.split(/\s+/);
    const isUp = (Number.parseInt(flags ?? "0", 16) & UP) !== 0;
    if (destination === "00000000" && mask === "00000000" && isUp) return name;
  }
  return undefined;
}

function readRoutes(): string {
  try {
    return readFileSync("/proc/net/route", "utf8");
  } catch {
    return "";
  }
}
