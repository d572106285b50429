#include "anybit/kernel/attention/internal/attention_tile.h"
#include "anybit/kernel/attention/internal/attention_vector.h"

namespace anybit::kernel::internal {

constexpr AttentionTile kAttentionTileAvx2 = {decode_rows_vector, attend_vector, merge_vector,
                                              finish_vector};

}  // namespace anybit::kernel::internal
