// Puts read requests, write TLPs and interrupt messages on tx_req, one whole TLP after another.
//
// Messages go first, reads and writes take turns. Memory requests (reads, writes, MSI-X) start only while bus master
// is on; INTx messages always may (PCI-CFG-14). A write source offers its first beat only when the whole payload is
// there, so a started TLP never waits for its data. Outputs are registered.

module tx_arbiter
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth = 256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  output logic                 tx_req_valid_o,
  input  logic                 tx_req_ready_i,
  output logic [127:0]         tx_req_hdr_o,
  output logic [DataWidth-1:0] tx_req_data_o,
  output logic                 tx_req_last_o,

  input  logic                 bus_master_i,
  input  logic [15:0]          function_id_i,
  input  logic                 cancelling_i,      // start no read and no write

  // Reads: granted = copied to the pins' register; sent = taken on the pins.
  input  logic                 rd_valid_i,
  input  tlp_info_t            rd_info_i,
  output logic                 rd_granted_o,
  output logic                 rd_sent_o,
  output logic [7:0]           rd_sent_tag_o,

  // Writes, a beat at a time; info with the first beat.
  input  logic                 wr_valid_i,
  input  tlp_info_t            wr_info_i,
  input  logic [DataWidth-1:0] wr_data_i,
  input  logic                 wr_last_i,         // last beat of the TLP
  input  logic                 wr_request_end_i,  // ... and of the client's request
  output logic                 wr_taken_o,
  output logic                 wr_locked_o,       // the current TLP's first beat has been taken, its last has not
  output logic                 wr_done_o,         // pulse: the last beat of a request has been taken on the pins

  // Messages.
  input  logic                 msg_valid_i,
  input  logic                 msg_msix_i,
  input  logic [63:0]          msg_addr_i,
  input  logic [31:0]          msg_data_i,
  input  logic                 msg_intx_assert_i,
  output logic                 msg_sent_o,
  output logic                 msg_presented_o,

  output logic                 posted_blocked_o,
  output logic                 dma_presented_o
);

  typedef enum logic [1:0] {
    SrcRead,
    SrcWrite,
    SrcMsix,
    SrcIntx
  } source_e;

  // On the pins.
  source_e source_q;
  logic    first_q, request_end_q;

  logic    locked_q;         // a write TLP is being copied to the pins
  logic    read_was_last_q;  // for taking turns

  // Choice.

  logic    may_load, message_idle, read_ok, write_ok, msix_ok, intx_ok;
  logic    load;
  source_e source;

  assign may_load     = !tx_req_valid_o || tx_req_ready_i;
  assign message_idle = !msg_presented_o;
  assign read_ok      = rd_valid_i && bus_master_i && !cancelling_i;
  assign write_ok     = wr_valid_i && bus_master_i && !cancelling_i;
  assign msix_ok      = msg_valid_i && msg_msix_i && bus_master_i && message_idle;
  assign intx_ok      = msg_valid_i && !msg_msix_i && message_idle;

  always_comb begin
    load   = 1'b1;
    source = SrcWrite;
    if (locked_q)                                        load = wr_valid_i;
    else if (intx_ok)                                    source = SrcIntx;
    else if (msix_ok)                                    source = SrcMsix;
    else if (read_ok && !(write_ok && read_was_last_q))  source = SrcRead;
    else if (!write_ok)                                  load = 1'b0;
    if (!may_load) load = 1'b0;
  end

  assign rd_granted_o = load && source == SrcRead;
  assign wr_taken_o   = load && source == SrcWrite;
  assign wr_locked_o  = locked_q;

  // Headers.

  function automatic logic [127:0] memory_header(tlp_info_t info, logic [15:0] id);
    logic     wide;
    tlp_fmt_e fmt;
    wide = info.address[63:32] != '0;
    fmt  = info.write ? (wide ? Fmt4DwData : Fmt3DwData) : (wide ? Fmt4Dw : Fmt3Dw);
    return {fmt, TypeMemory, 14'h0, info.length, id, info.tag, info.last_be, info.first_be,
            wide ? info.address : {info.address[31:0], 32'h0}};
  endfunction

  function automatic logic [127:0] intx_header(logic asserted, logic [15:0] id);
    return {Fmt4Dw, TypeMessageLocal, 24'h0, id, 8'h0, asserted ? MsgAssertIntA : MsgDeassertIntA, 64'h0};
  endfunction

  tlp_info_t            info;
  logic [127:0]         hdr;
  logic [DataWidth-1:0] data;

  always_comb begin
    info = rd_info_i;
    data = '0;
    if (source == SrcWrite) begin
      info = wr_info_i;
      data = wr_data_i;
    end
    if (source == SrcMsix) begin
      info = '{write: 1'b1, address: {msg_addr_i[63:2], 2'b00}, length: 10'd1, first_be: 4'hf, last_be: '0, tag: '0};
      data = DataWidth'(msg_data_i);
    end
  end

  always_comb begin
    hdr = memory_header(info, function_id_i);
    if (source == SrcIntx) hdr = intx_header(msg_intx_assert_i, function_id_i);
    if (locked_q)          hdr = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tx_req_valid_o  <= 1'b0;
      tx_req_hdr_o    <= '0;
      tx_req_data_o   <= '0;
      tx_req_last_o   <= 1'b0;
      source_q        <= SrcRead;
      first_q         <= 1'b0;
      request_end_q   <= 1'b0;
      locked_q        <= 1'b0;
      read_was_last_q <= 1'b0;
    end else if (load) begin
      tx_req_valid_o  <= 1'b1;
      tx_req_hdr_o    <= hdr;
      tx_req_data_o   <= data;
      tx_req_last_o   <= source != SrcWrite || wr_last_i;
      source_q        <= source;
      first_q         <= !locked_q;
      request_end_q   <= source == SrcWrite && wr_last_i && wr_request_end_i;
      locked_q        <= source == SrcWrite && !wr_last_i;
      if (source == SrcRead || source == SrcWrite) read_was_last_q <= source == SrcRead;
    end else if (tx_req_ready_i) begin
      tx_req_valid_o <= 1'b0;
    end
  end

  logic sent;

  assign sent            = tx_req_valid_o && tx_req_ready_i;
  assign rd_sent_o       = sent && source_q == SrcRead;
  assign rd_sent_tag_o   = tx_req_hdr_o[79:72];
  assign wr_done_o       = sent && request_end_q;
  assign msg_presented_o = tx_req_valid_o && (source_q == SrcMsix || source_q == SrcIntx);
  assign msg_sent_o      = msg_presented_o && tx_req_ready_i;

  assign posted_blocked_o = tx_req_valid_o && first_q && source_q != SrcRead && !tx_req_ready_i;
  assign dma_presented_o  = locked_q || (tx_req_valid_o && source_q != SrcIntx);

  logic unused_addr;
  assign unused_addr = ^msg_addr_i[1:0];

endmodule
