// Models by the name they have on a Hugging Face hub: found in that library's local cache, or
// downloaded into it in its own layout, so that both libraries see one cache.
//
//   <cache>/models--<org>--<repo>/refs/<revision>             the commit
//                                /snapshots/<commit>/<file>   links to
//                                /blobs/<etag>
//
// Source: huggingface_hub's documentation, "Understand caching".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "anybit/base/progress.h"
#include "anybit/base/result.h"

namespace anybit::model {

/// "hf:<org>/<repo>[/<file>.gguf][@<revision>]".
struct HubName {
  std::string org;
  std::string repo;
  std::string file;  // One GGUF file of the repository, or empty.
  std::string revision = "main";
};

inline constexpr std::string_view kHubScheme = "hf:";

/// Errors: kInvalidArgument saying what the form is.
Result<HubName> parse_hub_name(std::string_view text);

struct HubOptions {
  std::filesystem::path cache;  // The folder that holds models--*.
  std::string endpoint;         // "https://huggingface.co"
  bool is_offline = false;      // Never download.
  ProgressSink progress;        // Task "download", in bytes.

  /// cache: HF_HUB_CACHE, else HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub, else
  /// ~/.cache/huggingface/hub. endpoint: HF_ENDPOINT, else the hub's. is_offline: HF_HUB_OFFLINE.
  static HubOptions from_environment();
};

/// The folder (or GGUF file) of a model in the cache; downloads it if it is not there.
/// Post: a folder with config.json, or the path of a .gguf file.
/// Errors: kNotFound naming the folder that was looked for, why downloading failed, and the command
/// that fetches the model.
Result<std::filesystem::path> find_hub_model(const HubName& name, const HubOptions& options);

/// Downloads config, tokenizer and weights into the cache. Files that are there already are kept;
/// the ref is written last, so a broken download is never taken for a model.
/// Post: as for find_hub_model(). Errors: kNotFound; kIo; kCorruptData for an answer that is not
/// the hub's.
Result<std::filesystem::path> download_hub_model(const HubName& name, const HubOptions& options);

}  // namespace anybit::model
