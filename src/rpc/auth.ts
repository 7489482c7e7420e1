import { bytesToText, textToBytes } from "../base/index.ts";
import type { Member } from "../member/index.ts";
import { api, decodeMessage, type ErrorName, fail } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

const AUTH_REVISION = textToBytes("authRevision");

/**
 * Users and roles are not changed by this version, so authentication is never on. Those that a
 * directory holds are shown.
 */
export function authStatus(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.AuthStatusRequest, bytes);
  service.linearizable(answer, () =>
    service.answer(answer, api.AuthStatusResponse, {
      header: service.header(),
      enabled: false,
      authRevision: authRevision(service.member),
    }),
  );
}

/** How often users and roles have changed; 1 in a new directory. Throws PageMiss. */
export function authRevision({ db }: Pick<Member, "db">): number {
  const stored = db.bucket("auth").get(AUTH_REVISION);
  if (stored === undefined) return 1;
  const view = new DataView(stored.buffer, stored.byteOffset, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

export function userGet(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { name } = decodeMessage(api.AuthUserGetRequest, bytes);
  showStored(service, answer, { bucket: "authUsers", name, missing: "userNotFound" }, (stored) => {
    const { roles } = decodeMessage(api.User, stored);
    service.answer(answer, api.AuthUserGetResponse, { header: service.header(), roles });
  });
}

export function userList(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.AuthUserListRequest, bytes);
  service.linearizable(answer, () => {
    const users = storedNames(service, "authUsers");
    service.answer(answer, api.AuthUserListResponse, { header: service.header(), users });
  });
}

export function roleGet(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { role } = decodeMessage(api.AuthRoleGetRequest, bytes);
  const at = { bucket: "authRoles", name: role, missing: "roleNotFound" } as const;
  showStored(service, answer, at, (stored) => {
    const { keyPermission: perm } = decodeMessage(api.Role, stored);
    service.answer(answer, api.AuthRoleGetResponse, { header: service.header(), perm });
  });
}

export function roleList(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.AuthRoleListRequest, bytes);
  service.linearizable(answer, () => {
    const roles = storedNames(service, "authRoles");
    service.answer(answer, api.AuthRoleListResponse, { header: service.header(), roles });
  });
}

function showStored(
  service: Service,
  answer: Answer,
  at: { bucket: string; name: string; missing: ErrorName },
  show: (stored: Uint8Array) => void,
): void {
  service.linearizable(answer, () => {
    // A bucket has no empty key.
    const name = textToBytes(at.name);
    const stored = name.length > 0 ? service.member.db.bucket(at.bucket).get(name) : undefined;
    if (stored === undefined) answer.fail(fail(at.missing));
    else show(stored);
  });
}

function storedNames(service: Service, bucket: string): string[] {
  const names: string[] = [];
  const cursor = service.member.db.bucket(bucket).cursor();
  for (let found = cursor.first(); found; found = cursor.next())
    names.push(bytesToText(cursor.key));
  return names;
}
