/**
 * What Lium's validators go by, as far as it is known from outside: their table of models, their digests of NVIDIA's library, and
 * their limits. Theirs change without notice; where a host passes here and not there, these are what to look at first.
 */

/** As NVML names them; `share` of the emission, and roughly how much memory one has, in GiB as it is sold. */
export const LIUM_MODELS: ReadonlyMap<string, { readonly share: number; readonly memoryGib: number }> = new Map(
  Object.entries({
    "NVIDIA B200": { share: 0.05, memoryGib: 180 },
    "NVIDIA H200": { share: 0.56, memoryGib: 141 },
    "NVIDIA H100 80GB HBM3": { share: 0.1, memoryGib: 80 },
    "NVIDIA H100 NVL": { share: 0.01, memoryGib: 94 },
    "NVIDIA H100 PCIe": { share: 0.01, memoryGib: 80 },
    "NVIDIA H800 80GB HBM3": { share: 0.02, memoryGib: 80 },
    "NVIDIA H800 NVL": { share: 0.01, memoryGib: 94 },
    "NVIDIA H800 PCIe": { share: 0.01, memoryGib: 80 },
    "NVIDIA GeForce RTX 5090": { share: 0.025, memoryGib: 32 },
    "NVIDIA GeForce RTX 4090": { share: 0.05, memoryGib: 24 },
    "NVIDIA GeForce RTX 4090 D": { share: 0.02, memoryGib: 24 },
    "NVIDIA RTX 6000 Ada Generation": { share: 0.01, memoryGib: 48 },
    "NVIDIA L4": { share: 0.01, memoryGib: 24 },
    "NVIDIA L40S": { share: 0.01, memoryGib: 48 },
    "NVIDIA L40": { share: 0.01, memoryGib: 48 },
    "NVIDIA A100 80GB PCIe": { share: 0.01, memoryGib: 80 },
    "NVIDIA A100-SXM4-80GB": { share: 0.05, memoryGib: 80 },
    "NVIDIA RTX A6000": { share: 0.009, memoryGib: 48 },
    "NVIDIA RTX A5000": { share: 0.002, memoryGib: 24 },
    "NVIDIA RTX A4500": { share: 0.002, memoryGib: 20 },
    "NVIDIA RTX A4000": { share: 0.002, memoryGib: 16 },
    "NVIDIA GeForce RTX 3090": { share: 0.02, memoryGib: 24 },
  }),
);

export const LIUM_LIMITS = {
  /** More GPUs than this on one host score nothing. */
  mostGpus: 14,
  /** Ports that answered, of which fewer score nothing; and what they keep of them at most. */
  leastPorts: 3,
  goodPorts: 10,
  /** Percent of use of a GPU that nobody rents, from which on it scores nothing. */
  busyPercent: 5,
  leastDiskBytes: 100e9,
  /** Older drivers earn nothing while nobody rents the host, in later versions of theirs. */
  leastDriver: "580.65.06",
} as const;

/** MD5 and SHA-256 of libnvidia-ml.so by the version of the driver. A version that is not listed scores nothing in earlier versions of theirs. */
export const NVML_DIGESTS: ReadonlyMap<string, readonly [md5: string, sha256: string]> = new Map(
  Object.entries<readonly [string, string]>({
    "535.183.01": [
      "58fc46eefa8ebb265293556951a75a39",
      "67185f510159acdc8f38b768b059bfb0f3ec5869baaffd1dc1c949e52012b18f",
    ],
    "535.183.06": [
      "03ed7fa2134095b32f9d0d24a774c6ba",
      "5899d928c18f39656d4c5a573a509acaf621b896644abe31e78ad715171c2ce6",
    ],
    "535.216.01": [
      "96479a06139fc5261d06f432970d6a7b",
      "63ec13c213f50fc193f1b56f4d56ea1dddb5974d505d3dfc670a10824d800753",
    ],
    "535.216.03": [
      "189634bf960b9a2efe1af8011d27ccf7",
      "f9aec03b89ff0fba865b7059d8dce3258f2fda8f5ae748b3da98a65b5e06b46e",
    ],
    "535.230.02": [
      "cc34ae85c2238b9a49067e683c1998cf",
      "23767b1f9a39ace459e4d9950e1225ba6d89f4ac0299de9e7815b5c413f53acf",
    ],
    "535.247.01": [
      "b44440a3031606c8034b7f4b73f88e9c",
      "8355dd1d32973e66cb83083be2937d59ce30d794ee59c7def5df3c33dc790f5a",
    ],
    "545.23.06": [
      "5ad33588e91af67139efb54fe9fefc68",
      "7864c8334d3d8b9c092e3f6f89b288c50fa3c517cffeec7397a3dbc23de62098",
    ],
    "545.29.06": [
      "85ad949d7553ab96cce5c811e229c7c7",
      "f2ad84109af6facf93cb33f9ca79354c2c4672ed7d90a9e09a00954c6a82b438",
    ],
    "550.54.15": [
      "9625642dcf8765f52e332c8e38fbef73",
      "a12e4d671706b1e96abe91047611c6b413b9ec9ae0fb68eae8c4790a5df8cfaa",
    ],
    "550.78": ["1f335d1f068931fe7f2ce13117d1602b", "54b57e46525c3b1c9776442a65a5a010b92773a165b9f5f9e5b2a24be063b969"],
    "550.90.07": [
      "c95828f8a8ab7f17743b40561b812c96",
      "03d713a02c4b20b08b00f4c67ea03956dd2a48d1b4ca930dffb6024387157f16",
    ],
    "550.90.12": [
      "d7702d394ab213a725abeb345185a072",
      "b2675b61ec855fb37cec0e11e2738a98f909d737f0b31963e6687826267b7864",
    ],
    "550.120": ["48be49d0e792b5ee76f73857c0bef35a", "3bc49d033d45882a0e71a6e99a64105ad1a4f00cdad06b33bfd37175b8584373"],
    "550.127.05": [
      "bfa2733eee442016792bcbf130156e3d",
      "f196afa282f435e48b19561849d451e3de26932af8a76f75136f1dfc5533f247",
    ],
    "550.127.08": [
      "ac925f2cd192ad971c5466d55945a243",
      "0107189f70491091fe47f0cbeb90d2ff21494a115bb710dcca3c693112fb8252",
    ],
    "550.142": ["e68b535a61be6434fc7f12450561a3d0", "e967e2bb6d0f636aa452e2790c92db6ff82f124e370c1417f934e150e81b3071"],
    "550.144.03": [
      "41c3f2bcda579d3203408977c2a39d90",
      "51d4ac8866536c6d21b1e91af63b658a4d24042cd3a686cc9283fdbcd946be65",
    ],
    "550.163.01": [
      "63bdcc86bbc24cb9d4340c767d497d9a",
      "c2f8e560da76086bbd83941ec5f2e14626a32ad53d9ffc8619e01bdf56d56b22",
    ],
    "555.42.02": [
      "0262f396e80847dccefc8ccf52cff1ae",
      "a61d5a06765bd40420b0e105e2cb68a7895de882dbca7571b345db1146d50d15",
    ],
    "555.42.06": [
      "69774adffa76471490e6d8fac9067725",
      "f72c427a42a17f1c9d5689c1cb2216263b144f298cf3143cc6bb9f7ab13f745f",
    ],
    "560.28.03": [
      "6d6e0122cff1ac777a9e37ba09b886cb",
      "05256acca07d038283bc263f684368f3f4031e314fbad95d1da8ff1946eff237",
    ],
    "560.35.03": [
      "93a3f8ef77af86b79314c00b0788aeed",
      "660081fa0dfaa772c8dd11ca90e6d326273bd84813e2d809024352e308e35334",
    ],
    "560.35.05": [
      "1eec299b50e33a6cfa5155ded53495ab",
      "9ec08a9bc379bdcbd0bae105556b75d6ee89be1566032c4f0b82d25f89aa6431",
    ],
    "565.57.01": [
      "c801dd3fc4660f3a8ddf977cfdffe113",
      "05c8df9cec2c01c935594c57d37287ee358ed4e759270dbfec350061d342ad80",
    ],
    "570.86.15": [
      "b9fdb5be515d09610f26b60e7e061ac8",
      "edf88a4e27853377f5e3a6daede90926ef76e850ce45594444c6ff457cd3b086",
    ],
    "570.86.16": [
      "5624cc31de5a9dc7caeedefd7803a509",
      "656d876d2a453a61b5f65e1c382811b49a494af0f0b69b01ae916f5de3234b7e",
    ],
    "570.124.06": [
      "acdd9e2ca82caa7e7daf07d395e67aab",
      "fc48c5f5e44996bd41b1892a0ece6714bc715ad7c41361f691d64ebeb52fc4d4",
    ],
    "570.133.07": [
      "069476e75bb8e576c0c78e9d2dd6abdd",
      "b6b6cad3a3ab99ce7faae3896a9a497d3e2f91df045fcbc559ba397c5e2650d0",
    ],
    "570.133.20": [
      "94717b6033b598c8f963dedb43e187a3",
      "39eb997c5e0b7fa181cb908f8d481bb684c5dc7d68e063852b76c7bc9f133ae4",
    ],
    "570.144": ["0da473423dd6958c42a9347f4d336cef", "a040b22849ab22e2e29337e62d1dd86ef1838b4bef8bf3efa44e3525e01f04a0"],
    "570.148.08": [
      "ce76cfd47b0262450053d4ac50cbcab1",
      "82ed7464081aa881e13e9b673d294fd8bc3f067338ff97fa4c4fd241c92e0a07",
    ],
    "570.153.02": [
      "829381960585f40b058d55d394d438ae",
      "a90c1c885346f2c270b6c33267c55f177021677dca3727c8d4a990ac94797e32",
    ],
    "570.158.01": [
      "6387bfd5309e3741d1e0ef56274babc0",
      "50cfaa3b5462b264ae4439e5850186408b698cb72cde3d0894d77dd2c374808a",
    ],
    "575.51.03": [
      "d01d04bf5e770102cbf9fe3c2302d903",
      "b2910dea374c6c038f860b3ebf9e1408ee5946dd5da59cab6023220f968e8eff",
    ],
    "575.57.08": [
      "b49c325ff0d74199597d9b19b9b407a6",
      "ba4159cd8797a30e275e46a17b174b3d9a4a7768f82da9ca7263832da3f6d816",
    ],
    "575.64.03": [
      "ffad1bd4cfbf8abe4f2edd24e5687c64",
      "6e2e60d6f2ad3957f33465626e7793286c741cf8a9e3a6da8fbaacf3fc453370",
    ],
  }),
);
