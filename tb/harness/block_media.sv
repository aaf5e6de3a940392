// The disk's side of the block media port, between the pins and the shared memory.
module block_media
  import harness_pkg::*;
#(
    parameter int unsigned DataWidth = 256
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 req_valid_i,
    output logic                 req_ready_o,
    input  logic [1:0]           req_op_i,
    input  logic [63:0]          req_sector_i,
    input  logic [31:0]          req_count_i,
    input  logic                 wdata_valid_i,
    output logic                 wdata_ready_o,
    input  logic [DataWidth-1:0] wdata_i,
    input  logic                 wdata_last_i,
    output logic                 rdata_valid_o,
    input  logic                 rdata_ready_i,
    output logic [DataWidth-1:0] rdata_o,
    output logic                 rdata_last_o,
    output logic                 rsp_valid_o,
    input  logic                 rsp_ready_i,
    output logic                 rsp_error_o
);
  timeunit 1ns;
  timeprecision 1ns;

  bit [MaxDataWidth-1:0] data;  // bits beyond DataWidth stay unused
  bit                    last;

  packet_sink #(.Stream(StreamBlkReq)) u_req_ready (.clk_i, .rst_ni, .ready_o(req_ready_o));
  packet_sink #(.Stream(StreamBlkWdata)) u_wdata_ready (.clk_i, .rst_ni, .ready_o(wdata_ready_o));

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      if (rsp_valid_o && rsp_ready_i) harness_block_response_taken();
      // The first data may come in the clock of their request.
      if (req_valid_i && req_ready_o) harness_block_request(32'(req_op_i), req_sector_i, req_count_i);
      if (wdata_valid_i && wdata_ready_o) harness_block_write_beat(MaxDataWidth'(wdata_i), wdata_last_i);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rsp_valid_o <= 1'b0;
      rsp_error_o <= 1'b0;
    end else if (!rsp_valid_o || rsp_ready_i) begin
      if (harness_block_response_pending()) begin
        rsp_valid_o <= 1'b1;
        rsp_error_o <= harness_block_response();
      end else begin
        rsp_valid_o <= 1'b0;
      end
    end
  end

  /* verilator lint_off BLKSEQ */
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rdata_valid_o <= 1'b0;
      rdata_o       <= '0;
      rdata_last_o  <= 1'b0;
    end else if (!rdata_valid_o || rdata_ready_i) begin
      if (harness_block_read_pending()) begin
        harness_block_read_beat(data, last);
        rdata_valid_o <= 1'b1;
        rdata_o       <= data[DataWidth-1:0];
        rdata_last_o  <= last;
      end else begin
        rdata_valid_o <= 1'b0;
      end
    end
  end
  /* verilator lint_on BLKSEQ */

endmodule
