/**
 * The elements of one device in nvidia-smi's XML log, for fake-smi.c: as many as a data centre card of the 580 branch has.
 */
static void printDevice(Device *d) {
    static char text[40000];
    char n[4][32], *at = text;
    const char *active[2] = { "Not Active", "Active" };
#define ADD(...) at += snprintf(at, (size_t)(text + sizeof text - at), __VA_ARGS__)
    ADD("product_name=%s;product_brand=NVIDIA;product_architecture=Hopper;display_attached=Yes;display_active=Disabled;", d->name);
    ADD("persistence_mode=Enabled;addressing_mode=HMM;mig_mode{;current_mig=%s;pending_mig=%s;};", d->mig[0], d->mig[1]);
    ADD("mig_devices=None;accounting_mode=Disabled;accounting_mode_buffer_size=4000;driver_model{;current_dm=-;pending_dm=-;};");
    ADD("serial=%s;uuid=%s;minor_number=%s;vbios_version=%s;multigpu_board=No;", d->serial, d->uuid, d->minor, d->vbios);
    ADD("board_id=0x5300;board_part_number=-;gpu_part_number=-;gpu_fru_part_number=-;platformInfo{;chassis_serial_number=-;"
        "slot_number=-;tray_index=-;host_id=-;peer_type=-;module_id=7;gpu_fabric_guid=-;};inforom_version{;img_version=-;"
        "oem_object=2.1;ecc_object=7.16;pwr_object=-;};inforom_bbx_flush{;latest_timestamp=-;latest_duration=-;};"
        "gpu_operation_mode{;current_gom=-;pending_gom=-;};c2c_mode=Disabled;gpu_virtualization_mode{;"
        "virtualization_mode=None;host_vgpu_mode=-;vgpu_heterogeneous_mode=-;};gpu_recovery_action=None;"
        "gsp_firmware_version=-;ibmnpu{;relaxed_ordering_mode=-;};");
    ADD("pci{;pci_bus=%.2s;pci_device=00;pci_domain=0000;pci_device_id=233010DE;pci_bus_id=%s;", d->bus + 9, d->bus);
    ADD("pci_gpu_link_info{;pcie_gen{;max_link_gen=%s;current_link_gen=%s;device_current_link_gen=%s;};", d->maxGen, d->gen, d->gen);
    ADD("link_widths{;max_link_width=%sx;current_link_width=%sx;};};pci_bridge_chip{;bridge_chip_type=-;bridge_chip_fw=-;};"
        "replay_counter=%s;replay_rollover_counter=0;tx_util=-;rx_util=-;atomic_caps_outbound=-;atomic_caps_inbound=-;};",
        d->maxWidth, d->width, d->replays);
    ADD("fan_speed=%s;performance_state=P%s;clocks_event_reasons{;clocks_event_reason_gpu_idle=%s;", d->fan, d->state,
        active[d->reasons & 1]);
    ADD("clocks_event_reason_applications_clocks_setting=Not Active;clocks_event_reason_sw_power_cap=%s;", active[d->reasons >> 2 & 1]);
    ADD("clocks_event_reason_hw_slowdown=Not Active;clocks_event_reason_hw_thermal_slowdown=Not Active;"
        "clocks_event_reason_hw_power_brake_slowdown=Not Active;clocks_event_reason_sync_boost=Not Active;"
        "clocks_event_reason_sw_thermal_slowdown=Not Active;clocks_event_reason_display_clocks_setting=Not Active;};"
        "clocks_event_reasons_counters{;clocks_event_reasons_counters_sw_power_cap=-;clocks_event_reasons_counters_sync_boost=-;"
        "clocks_event_reasons_counters_sw_therm_slowdown=-;clocks_event_reasons_counters_hw_therm_slowdown=-;"
        "clocks_event_reasons_counters_hw_power_brake=-;};sparse_operation_mode=Disabled;");
    ADD("fb_memory_usage{;total=%s MiB;reserved=%s MiB;", mib(n[0], d->memory[1]), mib(n[1], d->memory[2]));
    ADD("used=%s MiB;free=%s MiB;};", mib(n[2], d->memory[4]), mib(n[3], d->memory[3]));
    ADD("bar1_memory_usage{;total=-;used=-;free=-;};cc_protected_memory_usage{;total=-;used=-;free=-;};compute_mode=Default;"
        "utilization{;gpu_util=%s %%;memory_util=%s %%;encoder_util=-;decoder_util=-;jpeg_util=-;ofa_util=-;};", d->util, d->memUtil);
    ADD("encoder_stats{;session_count=0;average_fps=0;average_latency=0;};fbc_stats{;session_count=0;average_fps=0;"
        "average_latency=0;};dram_encryption_mode{;current_dram_encryption=-;pending_dram_encryption=-;};");
    ADD("ecc_mode{;current_ecc=%s;pending_ecc=%s;};ecc_errors{;volatile{;", d->ecc[0], d->ecc[1]);
    ADD("sram_correctable=%s;sram_uncorrectable_parity=%s;sram_uncorrectable_secded=0;", d->corrected[0], d->uncorrected[0]);
    ADD("dram_correctable=0;dram_uncorrectable=0;};aggregate{;");
    ADD("sram_correctable=%s;sram_uncorrectable_parity=%s;sram_uncorrectable_secded=0;", d->corrected[1], d->uncorrected[1]);
    ADD("dram_correctable=0;dram_uncorrectable=0;sram_threshold_exceeded=No;};aggregate_uncorrectable_sram_sources{;sram_l2=0;"
        "sram_sm=0;sram_microcontroller=0;sram_pcie=0;sram_other=0;};channel_repair_pending=No;tpc_repair_pending=No;};"
        "retired_pages{;multiple_single_bit_retirement{;retired_count=-;retired_pagelist=-;};double_bit_retirement{;"
        "retired_count=-;retired_pagelist=-;};pending_blacklist=-;pending_retirement=-;};remapped_rows{;");
    ADD("remapped_row_corr=%s;remapped_row_unc=%s;", d->remapped[0], d->remapped[1]);
    ADD("remapped_row_pending=%s;remapped_row_failure=%s;", d->remapped[2], d->remapped[3]);
    ADD("row_remapper_histogram{;row_remapper_histogram_max=2560 bank(s);row_remapper_histogram_high=0 bank(s);"
        "row_remapper_histogram_partial=0 bank(s);row_remapper_histogram_low=0 bank(s);row_remapper_histogram_none=0 bank(s);};};");
    ADD("temperature{;gpu_temp=%s C;gpu_temp_tlimit=-;gpu_temp_max_tlimit_threshold=-;gpu_temp_slow_tlimit_threshold=-;"
        "gpu_temp_max_gpu_tlimit_threshold=-;gpu_target_temperature=-;memory_temp=-;gpu_temp_max_mem_tlimit_threshold=-;};"
        "supported_gpu_target_temp{;gpu_target_temp_min=-;gpu_target_temp_max=-;};", d->temp);
    ADD("gpu_power_readings{;power_state=P%s;average_power_draw=%s W;instant_power_draw=%s W;", d->state, d->draw, d->draw);
    ADD("current_power_limit=%s W;requested_power_limit=%s W;default_power_limit=%s W;", d->limit, d->limit, d->preset);
    ADD("min_power_limit=-;max_power_limit=-;};gpu_memory_power_readings{;average_power_draw=-;instant_power_draw=-;};"
        "module_power_readings{;power_state=-;average_power_draw=-;instant_power_draw=-;current_power_limit=-;"
        "requested_power_limit=-;default_power_limit=-;min_power_limit=-;max_power_limit=-;};power_smoothing=-;"
        "power_profiles{;power_profile_requested_profiles=-;power_profile_enforced_profiles=-;};");
    ADD("clocks{;graphics_clock=%s MHz;sm_clock=%s MHz;mem_clock=%s MHz;video_clock=-;};", d->sm, d->sm, d->mem);
    ADD("applications_clocks{;graphics_clock=-;mem_clock=-;};default_applications_clocks{;graphics_clock=-;mem_clock=-;};"
        "deferred_clocks{;mem_clock=-;};max_clocks{;graphics_clock=%s MHz;sm_clock=%s MHz;mem_clock=%s MHz;video_clock=-;};",
        d->maxSm, d->maxSm, d->maxMem);
    ADD("max_customer_boost_clocks{;graphics_clock=-;};clock_policy{;auto_boost=-;auto_boost_default=-;};fabric{;state=-;"
        "status=-;cliqueId=-;clusterUuid=-;health{;summary=-;bandwidth=-;route_recovery_in_progress=-;route_unhealthy=-;"
        "access_timeout_recovery=-;incorrect_configuration=-;};};supported_clocks{;supported_mem_clock{;value=%s MHz;", d->maxMem);
    for (int mhz = 1980; mhz >= 210; mhz -= 15) ADD("supported_graphics_clock=%d MHz;", mhz);
    ADD("};};processes=;accounted_processes=;capabilities{;egm=disabled;};");
#undef ADD
    xml(text);
}
