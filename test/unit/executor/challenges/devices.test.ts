/** A GPU is found by what its vendor's driver tells of its place, and nothing that only resembles it is taken. */
import { describe, expect, it } from "vitest";

import {
  chooseDevice,
  DeviceChoice,
  type FoundDevice,
  pciAddressOf,
} from "../../../../executor/challenges/opencl/devices.ts";
import { DEVICE } from "../../../../executor/challenges/opencl/functions.ts";

const card: FoundDevice = {
  handle: 1,
  index: 0,
  platform: "NVIDIA CUDA",
  name: "NVIDIA H100",
  driver: "550",
  vendorId: "10de",
  isCpu: false,
  memoryBytes: 80e9,
  maxAllocationBytes: 20e9,
  pciAddress: "0000:41:00.0",
  uuid: "6f0e6a1c-0000-0000-0000-000000000001",
};
const other = {
  ...card,
  handle: 2,
  index: 1,
  pciAddress: "0000:42:00.0",
  uuid: "6f0e6a1c-0000-0000-0000-000000000002",
};
const arc: FoundDevice = {
  ...card,
  handle: 3,
  index: 2,
  platform: "Intel(R) OpenCL Graphics",
  vendorId: "8086",
  pciAddress: "0000:03:00.0",
};
const processor = {
  ...card,
  handle: 4,
  index: 3,
  platform: "Portable Computing Language",
  isCpu: true,
  vendorId: "8086",
};
const all = [card, other, arc, processor];

describe("the place of a device on the bus", () => {
  it("is read as the Khronos extension gives it", () => {
    const words = Uint32Array.of(1, 0x41, 2, 3);
    const ask = answering({ [DEVICE.pciBusInfo]: Buffer.from(words.buffer) });

    expect(pciAddressOf("cl_khr_icd cl_khr_pci_bus_info", ask)).toBe("0001:41:02.3");
  });

  it("is read as NVIDIA gives it, with device and function in one", () => {
    const ask = answering({
      [DEVICE.nvidiaBus]: word(0xc1),
      [DEVICE.nvidiaSlot]: word(8),
      [DEVICE.nvidiaDomain]: word(2),
    });

    expect(pciAddressOf("cl_nv_device_attribute_query", ask)).toBe("0002:c1:01.0");
  });

  it("is read as AMD gives it, at the end of its record", () => {
    const record = Buffer.alloc(24);
    record.set([0x83, 0, 1], 21);

    expect(pciAddressOf("cl_amd_device_attribute_query", answering({ [DEVICE.amdTopology]: record }))).toBe(
      "0000:83:00.1",
    );
  });

  it("is nothing where no extension tells it", () => {
    expect(pciAddressOf("cl_khr_icd", answering({}))).toBeUndefined();
  });
});

describe("the device that is meant", () => {
  it.each([
    [{ pciAddress: "0000:42:00.0" }, other],
    [{ uuid: "GPU-6F0E6A1C-0000-0000-0000-000000000002" }, other],
    [{ vendorId: "8086" }, arc],
    [{ platform: "intel" }, arc],
    [{ index: 0 }, card],
    [{ platform: "portable", allowCpu: true }, processor],
  ])("is found by %o", (choice, expected) => {
    expect(chooseDevice(all, DeviceChoice.parse(choice))).toBe(expected);
  });

  it.each([
    ["none, when the place is another's", { pciAddress: "0000:43:00.0" }],
    ["none, when the place is right and the UUID is not", { pciAddress: "0000:41:00.0", uuid: "GPU-1" }],
    ["none, when only a processor fits", { index: 3 }],
    ["not guessed, when two fit", { vendorId: "10de" }],
    ["not guessed, when nothing is said", {}],
  ])("is %s", (_, choice) => {
    expect(() => chooseDevice(all, DeviceChoice.parse(choice))).toThrow(expect.objectContaining({ code: "no-device" }));
  });

  it("is not one without a UUID when a UUID is asked for", () => {
    const { uuid: _, ...nameless } = card;

    expect(() => chooseDevice([nameless], DeviceChoice.parse({ uuid: "GPU-1" }))).toThrow("No device fits");
  });
});

function answering(answers: Readonly<Record<number, Buffer>>): (key: number) => Buffer {
  return (key) => {
    const answer = answers[key];
    if (answer === undefined) throw new Error(`Nobody prepared an answer to ${key}.`);
    return answer;
  };
}

function word(value: number): Buffer {
  const room = Buffer.alloc(4);
  room.writeUInt32LE(value);
  return room;
}
