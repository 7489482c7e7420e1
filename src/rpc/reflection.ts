import { base64ToBytes, EMPTY_BYTES } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import {
  api,
  CODE,
  decodeMessage,
  encodeMessage,
  FILE_DESCRIPTORS,
  type FileDescriptor,
  type Init,
} from "../proto/index.ts";
import type { Service } from "./service.ts";

type Response = Init<api.ServerReflectionResponse>;

/** Lets tools without schemas ask what is served (grpc.reflection, both versions). */
export function serverReflectionInfo(service: Service, call: ServerCall): void {
  call.onMessage = (bytes) => {
    const request = decodeMessage(api.ServerReflectionRequest, bytes);
    const response = answer(request, service.serviceNames);
    const whole = { validHost: request.host, originalRequest: request, ...response };
    call.send(encodeMessage(api.ServerReflectionResponse, whole));
  };
  call.onHalfClose = () => call.end({ code: CODE.ok, message: "" });
}

function answer(request: api.ServerReflectionRequest, names: readonly string[]): Response {
  if (request.listServices !== undefined) {
    return { listServicesResponse: { service: names.map((name) => ({ name })) } };
  }
  const file = find(request);
  if (file === undefined) return { errorResponse: notFound(request) };
  return { fileDescriptorResponse: { fileDescriptorProto: withImports(file) } };
}

function find(request: api.ServerReflectionRequest): FileDescriptor | undefined {
  const { fileByFilename, fileContainingSymbol } = request;
  return FILE_DESCRIPTORS.find(
    (file) =>
      file.name === fileByFilename ||
      (fileContainingSymbol !== undefined && file.symbols.includes(fileContainingSymbol)),
  );
}

function notFound(request: api.ServerReflectionRequest) {
  const name = request.fileByFilename ?? request.fileContainingSymbol ?? "";
  return { errorCode: CODE.notFound, errorMessage: `not found: ${name}` };
}

/** The file and everything that it imports, each once. */
function withImports(file: FileDescriptor): Uint8Array[] {
  const files = new Set<FileDescriptor>([file]);
  for (const each of files) {
    for (const name of each.imports) {
      const imported = FILE_DESCRIPTORS.find((candidate) => candidate.name === name);
      if (imported !== undefined) files.add(imported);
    }
  }
  return [...files].map((each) => base64ToBytes(each.descriptor) ?? EMPTY_BYTES);
}
