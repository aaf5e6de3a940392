// The MSI-X table and pending bits in BAR1 (PCI-MSIX).
//
// Only whole DWs are written; past the entries reads give zero and writes are dropped. The pending bits are
// read only for the host, set and cleared by the sender of messages.
module msix_table
  import virtio_pci_pkg::*;
#(
  parameter int unsigned NumVectors   = 3,  // 1..128
  localparam int unsigned VectorWidth = (NumVectors > 1) ? $clog2(NumVectors) : 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   device_reset_i,  // clears the pending bits, keeps the table

  // Register bus.
  input  logic                   mem_req_valid_i,
  input  reg_req_t               reg_req_i,
  output logic                   mem_rsp_valid_o,
  output logic [31:0]            mem_rsp_rdata_o,

  // The sender.
  input  logic [VectorWidth-1:0] vector_i,
  output logic [63:0]            addr_o,          // of vector_i's entry
  output logic [31:0]            data_o,
  output logic [NumVectors-1:0]  masked_o,        // by their own mask bits
  output logic [NumVectors-1:0]  pending_o,
  input  logic [NumVectors-1:0]  pending_set_i,
  input  logic [NumVectors-1:0]  pending_clear_i
);

  localparam int unsigned TableDws = 4 * NumVectors;
  localparam int unsigned PbaDws   = 2 * ((NumVectors + 63) / 64);

  logic [NumVectors-1:0][61:0] addr_q;    // address bits 63:2
  logic [NumVectors-1:0][31:0] data_q;
  logic [NumVectors-1:0]       masked_q;
  logic [NumVectors-1:0]       pending_q, pending_d;
  logic                        respond_q;
  logic [31:0]                 rdata_q, rdata_d;

  logic [9:0]                  dw;
  logic [VectorWidth-1:0]      entry;
  assign dw    = reg_req_i.addr[11:2];
  assign entry = VectorWidth'(dw >> 2);

  wire access   = mem_req_valid_i & ~respond_q;
  wire in_table = 32'(dw) < TableDws;
  wire write    = access & reg_req_i.write & in_table & (reg_req_i.be == 4'b1111);

  logic [32*PbaDws-1:0] pending_bits;
  assign pending_bits = (32 * PbaDws)'(pending_q);

  always_comb begin
    rdata_d = '0;
    if (in_table) begin
      unique case (dw[1:0])
        2'd0:    rdata_d = {addr_q[entry][29:0], 2'b00};
        2'd1:    rdata_d = addr_q[entry][61:30];
        2'd2:    rdata_d = data_q[entry];
        default: rdata_d = {31'd0, masked_q[entry]};
      endcase
    end
    for (int unsigned i = 0; i < PbaDws; i++) begin
      if (dw == MsixPbaOffset[11:2] + 10'(i)) rdata_d = pending_bits[32*i +: 32];
    end
  end

  assign pending_d = device_reset_i ? '0 : (pending_q & ~pending_clear_i) | pending_set_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      addr_q    <= '0;
      data_q    <= '0;
      masked_q  <= '1;
      pending_q <= '0;
      respond_q <= 1'b0;
      rdata_q   <= '0;
    end else begin
      pending_q <= pending_d;
      respond_q <= access;
      if (access) rdata_q <= rdata_d;
      if (write) begin
        unique case (dw[1:0])
          2'd0:    addr_q[entry][29:0]  <= reg_req_i.wdata[31:2];
          2'd1:    addr_q[entry][61:30] <= reg_req_i.wdata;
          2'd2:    data_q[entry]        <= reg_req_i.wdata;
          default: masked_q[entry]      <= reg_req_i.wdata[0];
        endcase
      end
    end
  end

  assign mem_rsp_valid_o = respond_q;
  assign mem_rsp_rdata_o = rdata_q;
  assign addr_o          = {addr_q[vector_i], 2'b00};
  assign data_o          = data_q[vector_i];
  assign masked_o        = masked_q;
  assign pending_o       = pending_q;

  // Bits 1:0 of the byte address are the bus's.
  logic unused_addr;
  assign unused_addr = ^reg_req_i.addr[1:0];

endmodule
