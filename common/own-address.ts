/**
 * The address of this machine that others may reach it by; a guess, for when nobody says.
 */
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";

/** Bridges between containers of this machine: nobody else reaches their addresses. */
const CONTAINER_BRIDGE = /^(docker|br-|veth|cni|podman|lium)/;

type Interfaces = Readonly<
  Record<string, readonly Pick<NetworkInterfaceInfo, "address" | "family" | "internal">[] | undefined>
>;

/** The first IPv4 address that is neither loopback nor a container bridge's; loopback when there is none. */
export function guessOwnAddress(interfaces: Interfaces = networkInterfaces()): string {
  const addresses = Object.entries(interfaces)
    .filter(([name]) => !CONTAINER_BRIDGE.test(name))
    .flatMap(([, entries]) => entries ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
