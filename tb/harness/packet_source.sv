// Drives one packet channel towards the function from what Python has written into the shared memory.
module packet_source
  import harness_pkg::*;
#(
    parameter int unsigned DataWidth = 256,
    parameter stream_e     Stream    = StreamRxReq
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    output logic                 valid_o,
    input  logic                 ready_i,
    output logic [127:0]         hdr_o,
    output logic [DataWidth-1:0] data_o,
    output logic                 last_o
);
  timeunit 1ns;
  timeprecision 1ns;

  bit [127:0]              header;
  bit [MaxDataWidth-1:0]   data;
  bit                      last;

  /* verilator lint_off BLKSEQ */
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
      hdr_o   <= '0;
      data_o  <= '0;
      last_o  <= 1'b0;
    end else if (!valid_o || ready_i) begin
      if (harness_source_pending(Stream)) begin
        harness_source_beat(Stream, header, data, last);
        valid_o <= 1'b1;
        hdr_o   <= header;
        data_o  <= data[DataWidth-1:0];
        last_o  <= last;
      end else begin
        valid_o <= 1'b0;
      end
    end
  end
  /* verilator lint_on BLKSEQ */

endmodule
