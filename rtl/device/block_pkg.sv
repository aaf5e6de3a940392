// The block device's request format, features and configuration (VBLK).
package block_pkg;

  localparam int unsigned SectorBytes = 512;
  localparam int unsigned HeaderBytes = 16;
  localparam int unsigned SerialBytes = 20;

  typedef struct packed {
    logic [63:0] sector;
    logic [31:0] reserved;
    logic [31:0] kind;
  } request_header_t;

  typedef enum logic [2:0] {KindIn, KindOut, KindFlush, KindIdentify, KindUnsupported} request_kind_e;

  typedef enum logic [7:0] {StatusOk = 8'd0, StatusIoError = 8'd1, StatusUnsupported = 8'd2} status_e;

  typedef enum logic [1:0] {MediaRead = 2'd0, MediaWrite = 2'd1, MediaFlush = 2'd2} media_op_e;

  // The request type. Bit 31 (BARRIER) says nothing here, bit 0 only whether data goes out.
  function automatic request_kind_e request_kind(logic [31:0] kind);
    unique case (kind & ~32'h8000_0001)
      32'd0:   return kind[0] ? KindOut : KindIn;
      32'd4:   return KindFlush;
      32'd8:   return KindIdentify;
      default: return KindUnsupported;
    endcase
  endfunction

  localparam int unsigned FeatureSegMax  = 2;
  localparam int unsigned FeatureRo      = 5;
  localparam int unsigned FeatureBlkSize = 6;
  localparam int unsigned FeatureFlush   = 9;

  function automatic logic [31:0] block_features(bit read_only);
    return (32'd1 << FeatureSegMax) | (32'(read_only) << FeatureRo) | (32'd1 << FeatureBlkSize) |
           (32'd1 << FeatureFlush);
  endfunction

  // The DW of the configuration at byte offset `addr`: capacity, size_max, seg_max, geometry, blk_size.
  function automatic logic [31:0] block_config(logic [11:0] addr, logic [63:0] capacity, int unsigned max_segments);
    unique case (addr)
      12'd0:   return capacity[31:0];
      12'd4:   return capacity[63:32];
      12'd12:  return (max_segments > 2) ? 32'(max_segments - 2) : 32'd1;  // less header and status
      12'd20:  return 32'(SectorBytes);
      default: return '0;
    endcase
  endfunction

endpackage
