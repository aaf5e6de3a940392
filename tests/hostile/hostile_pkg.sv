// What a hostile function can do. The names are those of kinds.toml and of the plusarg +hostile=.
package hostile_pkg;

  typedef enum int {
    good,
    // Used ring.
    used_id_too_big,
    used_id_not_offered,
    used_id_repeated,
    used_id_inside_chain,
    used_length_too_long,
    used_length_of_unwritten,
    used_index_jumps,
    used_index_goes_back,
    used_index_torn,
    index_before_element,
    // Memory of others.
    write_to_descriptors,
    write_to_available_ring,
    write_to_readable_buffer,
    write_anywhere,
    read_anywhere,
    read_writable_buffer,
    dma_after_reset,
    dma_without_bus_master,
    // Interrupts.
    intx_without_cause,
    intx_never_lowered,
    isr_never_set,
    isr_always_set,
    interrupts_lost,
    message_wrong_address,
    message_wrong_data,
    message_unasked,
    // Registers.
    capacity_tears,
    capacity_nonsense,
    queues_without_end,
    kick_lost,
    // Malformed packets.
    page_crossed,
    length_beyond_payload,
    length_zero,
    tag_reused,
    enables_wrong,
    type_unknown,
    // Streams that stand still.
    rx_req_stuck,
    tx_cpl_stuck,
    tx_req_stuck,
    rx_cpl_stuck,
    blk_req_stuck,
    blk_wdata_stuck,
    blk_rdata_stuck,
    blk_rsp_stuck,
    // Packets without end, and packets that stop half way.
    tx_cpl_endless,
    tx_req_endless,
    blk_wdata_endless,
    tx_req_halts,
    // Floods.
    msix_flood,
    intx_flood,
    read_flood,
    write_flood,
    completion_flood,
    blk_req_flood,
    blk_wdata_flood,
    // Unknown values, which a two-state simulator has as random ones.
    tx_cpl_random,
    tx_req_random,
    blk_req_random,
    // Time does not pass.
    loop_without_delay
  } kind_e;

  // The kind that the command line names. Unknown names end the simulation.
  function automatic kind_e kind_of_run();
    string name;
    kind_e kind;
    if (!$value$plusargs("hostile=%s", name)) return good;
    kind = kind.first();
    for (int i = 0; i < kind.num(); i++) begin
      if (kind.name() == name) return kind;
      kind = kind.next();
    end
    $fatal(1, "+hostile=%s is unknown: hostile_pkg.sv has the known ones.", name);
    return good;
  endfunction

endpackage
