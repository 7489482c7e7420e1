import { enumeration, many, type MessageOf, message, one, string } from "../schema.ts";

/** What load balancers and Kubernetes ask. */

export const SERVING_STATUS = {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
} as const;

export const HealthCheckRequest = message("grpc.health.v1.HealthCheckRequest", {
  service: string(1),
});
export type HealthCheckRequest = MessageOf<typeof HealthCheckRequest>;

export const HealthCheckResponse = message("grpc.health.v1.HealthCheckResponse", {
  status: enumeration(1, SERVING_STATUS),
});
export type HealthCheckResponse = MessageOf<typeof HealthCheckResponse>;

export const HealthListRequest = message("grpc.health.v1.HealthListRequest", {});

/** A map travels as a list of its entries. */
export const HealthListResponse = message("grpc.health.v1.HealthListResponse", {
  statuses: many(
    one(
      1,
      message("grpc.health.v1.HealthListResponse.StatusesEntry", {
        key: string(1),
        value: one(2, HealthCheckResponse),
      }),
    ),
  ),
});
export type HealthListResponse = MessageOf<typeof HealthListResponse>;
