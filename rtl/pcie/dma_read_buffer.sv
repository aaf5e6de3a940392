// The data of outstanding DMA reads: one slot of MaxDmaBytes per tag, a byte at its address modulo MaxDmaBytes.
//
// One memory per DW lane, so that completion payload lands on any DW boundary at one beat per clock: lanes below the
// first one are written in the following row. Reads take whole rows and arrive a clock later.

module dma_read_buffer
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth = 256,
  parameter int unsigned NumTags   = 8,
  localparam int unsigned SlotBits = $clog2(NumTags),
  localparam int unsigned DwBits   = $clog2(MaxDmaBytes / 4),
  localparam int unsigned Lanes    = DataWidth / 32,
  localparam int unsigned LaneBits = $clog2(Lanes),
  localparam int unsigned RowBits  = DwBits - LaneBits
) (
  input  logic                 clk_i,

  input  logic                 write_i,
  input  logic [SlotBits-1:0]  write_slot_i,
  input  logic [DwBits-1:0]    write_dw_i,     // place of the beat's first DW in the slot
  input  logic [DwBits:0]      write_count_i,  // DWs from there; more than fit in the beat means all
  input  logic [DataWidth-1:0] write_data_i,

  input  logic                 read_i,
  input  logic [SlotBits-1:0]  read_slot_i,
  input  logic [RowBits-1:0]   read_row_i,
  output logic [DataWidth-1:0] read_data_o
);

  typedef logic [LaneBits-1:0] lane_t;
  typedef logic [RowBits-1:0]  row_t;

  lane_t first_lane;
  row_t  first_row;
  assign first_lane = write_dw_i[LaneBits-1:0];
  assign first_row  = write_dw_i[DwBits-1:LaneBits];

  logic [2*DataWidth-1:0] rotated;
  assign rotated = {write_data_i, write_data_i} << {first_lane, 5'b00000};

  logic [Lanes-1:0] below;   // lanes below the beat's first one
  assign below = ~({Lanes{1'b1}} << first_lane);

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    localparam lane_t LaneIndex = lane_t'(l);

    logic [31:0] mem [NumTags * 2**RowBits];
    logic [31:0] rdata_q;
    lane_t       index;     // which DW of the beat belongs here
    row_t        write_row;

    assign index     = LaneIndex - first_lane;
    assign write_row = first_row + row_t'(below[l]);

    always_ff @(posedge clk_i) begin
      if (write_i && (DwBits+1)'(index) < write_count_i) begin
        mem[{write_slot_i, write_row}] <= rotated[DataWidth + 32*l +: 32];
      end
    end

    always_ff @(posedge clk_i) begin
      if (read_i) rdata_q <= mem[{read_slot_i, read_row_i}];
    end

    assign read_data_o[32*l +: 32] = rdata_q;
  end

  logic unused_rotated;
  assign unused_rotated = ^rotated[DataWidth-1:0];

endmodule
