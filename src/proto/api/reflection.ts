import { bytes, int32, type MessageOf, many, message, one, oneof, string } from "../schema.ts";

/**
 * Lets a client without schemas ask for them. Both versions of the service, `grpc.reflection.v1`
 * and `grpc.reflection.v1alpha`, speak these messages.
 */

const request = "message_request";
const response = "message_response";

export const ExtensionRequest = message("grpc.reflection.v1.ExtensionRequest", {
  containing_type: string(1),
  extension_number: int32(2),
});

export const ServerReflectionRequest = message("grpc.reflection.v1.ServerReflectionRequest", {
  host: string(1),
  file_by_filename: oneof(request, string(3)),
  file_containing_symbol: oneof(request, string(4)),
  file_containing_extension: oneof(request, one(5, ExtensionRequest)),
  all_extension_numbers_of_type: oneof(request, string(6)),
  list_services: oneof(request, string(7)),
});
export type ServerReflectionRequest = MessageOf<typeof ServerReflectionRequest>;

export const FileDescriptorResponse = message("grpc.reflection.v1.FileDescriptorResponse", {
  file_descriptor_proto: many(bytes(1)),
});

export const ExtensionNumberResponse = message("grpc.reflection.v1.ExtensionNumberResponse", {
  base_type_name: string(1),
  extension_number: many(int32(2)),
});

export const ServiceResponse = message("grpc.reflection.v1.ServiceResponse", { name: string(1) });

export const ListServiceResponse = message("grpc.reflection.v1.ListServiceResponse", {
  service: many(one(1, ServiceResponse)),
});

export const ErrorResponse = message("grpc.reflection.v1.ErrorResponse", {
  error_code: int32(1),
  error_message: string(2),
});

export const ServerReflectionResponse = message("grpc.reflection.v1.ServerReflectionResponse", {
  valid_host: string(1),
  original_request: one(2, ServerReflectionRequest),
  file_descriptor_response: oneof(response, one(4, FileDescriptorResponse)),
  all_extension_numbers_response: oneof(response, one(5, ExtensionNumberResponse)),
  list_services_response: oneof(response, one(6, ListServiceResponse)),
  error_response: oneof(response, one(7, ErrorResponse)),
});
export type ServerReflectionResponse = MessageOf<typeof ServerReflectionResponse>;
