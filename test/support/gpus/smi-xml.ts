/**
 * Logs of `nvidia-smi -q -x` in the dialects of its generations, with our own numbers: what a driver renamed is renamed here.
 */
import { fakeUuid } from "./fake-driver.ts";

export interface LoggedGpu {
  readonly address: string;
  readonly number: number;
  /** Left out: the device answers; given: every text of it is this. */
  readonly broken?: string;
  readonly mig?: readonly { readonly gi: number; readonly ci: number; readonly mib: number }[];
  readonly processes?: readonly { readonly pid: number; readonly memory: string }[];
}

export type Dialect = "v10" | "v11" | "v12" | "v13";

function reasons(dialect: Dialect): string {
  const word = dialect === "v12" || dialect === "v13" ? "event" : "throttle";
  const one = (name: string, value: string): string =>
    `<clocks_${word}_reason_${name}>${value}</clocks_${word}_reason_${name}>`;
  return `<clocks_${word}_reasons>${one("gpu_idle", "Not Active")}${one("sw_power_cap", "Active")}${one("hw_thermal_slowdown", "Active")}</clocks_${word}_reasons>`;
}

function power(dialect: Dialect): string {
  const limits =
    "<current_power_limit>650.00 W</current_power_limit><default_power_limit>700.00 W</default_power_limit>";
  switch (dialect) {
    case "v10":
    case "v11":
      return "<power_readings><power_draw>98.31 W</power_draw><enforced_power_limit>650.00 W</enforced_power_limit><default_power_limit>700.00 W</default_power_limit></power_readings>";
    case "v12":
      return `<gpu_power_readings><power_draw>98.31 W</power_draw>${limits}</gpu_power_readings><module_power_readings><power_draw>900.00 W</power_draw></module_power_readings>`;
    case "v13":
      return `<gpu_power_readings><average_power_draw>N/A</average_power_draw><instant_power_draw>98.31 W</instant_power_draw>${limits}</gpu_power_readings>`;
  }
}

function ecc(dialect: Dialect): string {
  const mode = "<ecc_mode><current_ecc>Enabled</current_ecc><pending_ecc>Enabled</pending_ecc></ecc_mode>";
  if (dialect === "v10") {
    return `${mode}<ecc_errors><volatile><single_bit><total>5</total></single_bit><double_bit><total>1</total></double_bit></volatile></ecc_errors>`;
  }
  const uncorrectable =
    dialect === "v13"
      ? "<sram_uncorrectable_parity>0</sram_uncorrectable_parity><sram_uncorrectable_secded>1</sram_uncorrectable_secded>"
      : "<sram_uncorrectable>1</sram_uncorrectable>";
  const counts = `<sram_correctable>2</sram_correctable>${uncorrectable}<dram_correctable>3</dram_correctable><dram_uncorrectable>0</dram_uncorrectable>`;
  return `${mode}<ecc_errors><volatile>${counts}</volatile></ecc_errors>`;
}

function recovery(dialect: Dialect): string {
  if (dialect === "v13") return "<gpu_recovery_action>None</gpu_recovery_action>";
  if (dialect === "v12")
    return "<gpu_reset_status><reset_required>No</reset_required><drain_and_reset_recommended>No</drain_and_reset_recommended></gpu_reset_status>";
  return "";
}

function migOf({ mig = [] }: LoggedGpu): string {
  if (mig.length === 0)
    return "<mig_mode><current_mig>Disabled</current_mig></mig_mode><mig_devices>\n\t\t\tNone\n\t\t</mig_devices>";
  const devices = mig.map(
    ({ gi, ci, mib }, index) =>
      `<mig_device><index>${index}</index><gpu_instance_id>${gi}</gpu_instance_id><compute_instance_id>${ci}</compute_instance_id><fb_memory_usage><total>${mib} MiB</total><used>12 MiB</used></fb_memory_usage></mig_device>`,
  );
  return `<mig_mode><current_mig>Enabled</current_mig></mig_mode><mig_devices>${devices.join("")}</mig_devices>`;
}

function processesOf({ processes = [] }: LoggedGpu): string {
  const list = processes.map(
    ({ pid, memory }) =>
      `<process_info><pid>${pid}</pid><type>C</type><process_name>a &amp; b</process_name><used_memory>${memory}</used_memory></process_info>`,
  );
  return `<processes>\n\t\t${list.join("\n")}</processes>`;
}

function gpuXml(gpu: LoggedGpu, dialect: Dialect): string {
  const id = `<gpu id="0000${gpu.address.toUpperCase()}">`;
  if (gpu.broken !== undefined) {
    const { broken } = gpu;
    return `${id}<product_name>${broken}</product_name><uuid>${broken}</uuid><fb_memory_usage>${broken}</fb_memory_usage><temperature><gpu_temp>${broken}</gpu_temp></temperature></gpu>`;
  }
  const util = (gpu.mig ?? []).length > 0 ? "N/A" : "37 %";
  return `${id}<product_name>NVIDIA H100 80GB HBM3</product_name><uuid>${fakeUuid(gpu.number)}</uuid><serial>1650000000001</serial>
<minor_number>${gpu.number - 1}</minor_number><persistence_mode>Enabled</persistence_mode>${migOf(gpu)}${recovery(dialect)}
<pci><pci_device_id>233010DE</pci_device_id><pci_bus_id>0000${gpu.address}</pci_bus_id><pci_gpu_link_info><pcie_gen><max_link_gen>5</max_link_gen><current_link_gen>5</current_link_gen></pcie_gen><link_widths><max_link_width>16x</max_link_width><current_link_width>8x</current_link_width></link_widths></pci_gpu_link_info><replay_counter>4</replay_counter></pci>
<fan_speed>N/A</fan_speed><performance_state>P0</performance_state>${reasons(dialect)}
<fb_memory_usage><total>81559 MiB</total><reserved>480 MiB</reserved><used>1000 MiB</used><free>80079 MiB</free></fb_memory_usage>
<utilization><gpu_util>${util}</gpu_util><memory_util>${util}</memory_util></utilization>${ecc(dialect)}
<remapped_rows>${dialect === "v13" ? "<remapped_row_corr>1</remapped_row_corr><remapped_row_unc>0</remapped_row_unc><remapped_row_pending>Yes</remapped_row_pending><remapped_row_failure>No</remapped_row_failure>" : "N/A"}</remapped_rows>
<temperature><gpu_temp>41 C</gpu_temp><memory_temp>N/A</memory_temp></temperature>${power(dialect)}
<clocks><sm_clock>1980 MHz</sm_clock><mem_clock>2619 MHz</mem_clock></clocks><max_clocks><sm_clock>1980 MHz</sm_clock></max_clocks>
<fabric><state>Completed</state><health><summary>Healthy</summary></health></fabric>${processesOf(gpu)}</gpu>`;
}

export function smiLog(gpus: readonly LoggedGpu[], dialect: Dialect = "v13", attached = gpus.length): string {
  return `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_${dialect}.dtd">
<nvidia_smi_log><timestamp>Mon Jan  5 00:00:00 2026</timestamp><driver_version>580.105.08</driver_version>
<cuda_version>13.0</cuda_version><attached_gpus>${attached}</attached_gpus>
${gpus.map((gpu) => gpuXml(gpu, dialect)).join("\n")}
</nvidia_smi_log>
`;
}
