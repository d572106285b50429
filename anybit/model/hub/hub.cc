#include "anybit/model/hub/hub.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "anybit/base/file.h"
#include "anybit/base/json.h"
#include "anybit/model/hub/http.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultEndpoint = "https://huggingface.co";
constexpr int64_t kMostListingBytes = int64_t{64} << 20;

/// Whether `text` can be one component of a path and of a URL.
bool is_component(std::string_view text) {
  if (text.empty() || text.size() > 200 || text.front() == '.') return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '+';
  });
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path model_folder(const HubName& name, const HubOptions& options) {
  return options.cache / fmt::format("models--{}--{}", name.org, name.repo);
}

std::string repository(const HubName& name) { return fmt::format("{}/{}", name.org, name.repo); }

/// The model in a snapshot: the folder if it has a config, else its only GGUF file.
std::optional<fs::path> model_in(const fs::path& snapshot, const HubName& name) {
  std::error_code error;
  if (!name.file.empty()) {
    const fs::path file = snapshot / name.file;
    return fs::exists(file, error) ? std::optional(file) : std::nullopt;
  }
  if (fs::exists(snapshot / "config.json", error)) return snapshot;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(snapshot, error)) {
    if (entry.path().extension() == ".gguf") files.push_back(entry.path());
  }
  return files.size() == 1 ? std::optional(files.front()) : std::nullopt;
}

/// The snapshot that the revision names: through refs/, or as a commit.
std::optional<fs::path> cached_snapshot(const HubName& name, const HubOptions& options) {
  const fs::path folder = model_folder(name, options);
  std::error_code error;
  std::string commit = name.revision;
  if (const auto ref = read_text_file(folder / "refs" / name.revision, 256)) {
    commit = *ref;
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())) != 0) {
      commit.pop_back();
    }
  }
  if (!is_component(commit)) return std::nullopt;
  fs::path snapshot = folder / "snapshots" / commit;
  if (!fs::is_directory(snapshot, error)) return std::nullopt;
  return snapshot;
}

/// What a commit holds.
struct Listing {
  std::string commit;
  std::vector<std::string> files;
};

Result<Listing> list_files(const HubName& name, const HubOptions& options) {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}", options.endpoint,
                                      repository(name), percent_encode(name.revision));
  ANYBIT_ASSIGN(const std::string text, http_get_text(url, kMostListingBytes));
  ANYBIT_ASSIGN(const Json json, parse_json(text, url));
  Listing listing;
  ANYBIT_ASSIGN(listing.commit, json_member<std::string>(json, "sha", url));
  if (!is_component(listing.commit)) {
    return fail(ErrorCode::kCorruptData, "{}: sha must be a commit, found \"{}\"", url,
                listing.commit.substr(0, 80));
  }
  const auto siblings = json.find("siblings");
  if (siblings == json.end() || !siblings->is_array()) {
    return fail(ErrorCode::kCorruptData, "{}: expected an array \"siblings\"", url);
  }
  for (const Json& sibling : *siblings) {
    ANYBIT_ASSIGN(std::string file, json_member<std::string>(sibling, "rfilename", url));
    if (is_component(file)) listing.files.push_back(std::move(file));
  }
  return listing;
}

bool is_wanted(std::string_view file) {
  static constexpr std::string_view kNames[] = {
      "config.json",           "generation_config.json",  "tokenizer.json",
      "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
      "chat_template.json",    "model.safetensors",       "model.safetensors.index.json",
  };
  return std::ranges::find(kNames, file) != std::end(kNames) ||
         (file.starts_with("model-") && file.ends_with(".safetensors"));
}

/// The files to fetch: those of a folder, or one GGUF file.
Result<std::vector<std::string>> choose_files(const HubName& name, const Listing& listing) {
  const auto has = [&](std::string_view file) {
    return std::ranges::find(listing.files, file) != listing.files.end();
  };
  if (!name.file.empty()) {
    if (has(name.file)) return std::vector<std::string>{name.file};
    return fail(ErrorCode::kNotFound, "{} has no file {}", repository(name), name.file);
  }
  std::vector<std::string> wanted, ggufs;
  bool has_weights = false;
  for (const std::string& file : listing.files) {
    if (is_wanted(file)) wanted.push_back(file);
    has_weights |= is_wanted(file) && file.ends_with(".safetensors");
    if (file.ends_with(".gguf")) ggufs.push_back(file);
  }
  if (has("config.json") && has_weights) return wanted;
  if (ggufs.size() == 1) return ggufs;
  return fail(ErrorCode::kNotFound,
              "{}: expected config.json with model*.safetensors, or one .gguf file; found GGUF "
              "files [{}]",
              repository(name), fmt::join(ggufs, ", "));
}

/// The name of a blob out of an ETag, or empty if it cannot be one.
std::string blob_name(const HttpHeaders& headers) {
  for (const char* field : {"x-linked-etag", "etag"}) {
    const auto found = headers.find(field);
    if (found == headers.end()) continue;
    std::string_view tag = found->second;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
      tag = tag.substr(1, tag.size() - 2);
    }
    if (is_component(tag)) return std::string(tag);
  }
  return "";
}

/// Fetches one file of a commit: into blobs/ with a link to it where the server names the contents,
/// else into the snapshot itself.
Status fetch_file(const std::string& url, const fs::path& folder, const fs::path& target,
                  const ProgressSink& progress) {
  std::optional<AtomicFile> file;
  std::string blob;
  HttpSink sink;
  sink.begin = [&](const HttpHeaders& headers) -> Status {
    blob = blob_name(headers);
    ANYBIT_ASSIGN(AtomicFile created,
                  AtomicFile::create(blob.empty() ? target : folder / "blobs" / blob));
    file.emplace(std::move(created));
    return {};
  };
  sink.write = [&](std::span<const std::byte> bytes) { return file->write(bytes); };
  const std::string note = target.filename().string();
  if (progress) {
    sink.progress = [&](int64_t done, int64_t total) {
      if (total > 0) progress({"download", done, total, "bytes", note});
    };
  }
  ANYBIT_TRY(http_get(url, sink));
  ANYBIT_TRY(file->commit());
  if (blob.empty()) return {};
  std::error_code error;
  fs::create_symlink(fs::path("..") / ".." / "blobs" / blob, target, error);
  if (error && !fs::exists(target)) {
    return fail(ErrorCode::kIo, "{}: {}", target.string(), error.message());
  }
  return {};
}

}  // namespace

Result<HubName> parse_hub_name(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "expected hf:<org>/<repo>[/<file>.gguf][@<revision>], found \"{}\"", text);
  };
  std::string_view rest = text;
  if (!rest.starts_with(kHubScheme)) return wrong();
  rest.remove_prefix(kHubScheme.size());
  HubName name;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    name.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return wrong();
  name.org = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  const size_t second = rest.find('/');
  name.repo = rest.substr(0, second);
  if (second != std::string_view::npos) {
    name.file = rest.substr(second + 1);
    if (!is_component(name.file) || !name.file.ends_with(".gguf")) return wrong();
  }
  if (!is_component(name.org) || !is_component(name.repo) || !is_component(name.revision)) {
    return wrong();
  }
  return name;
}

HubOptions HubOptions::from_environment() {
  HubOptions options;
  const std::string cache = environment("HF_HUB_CACHE"), home = environment("HF_HOME");
  const std::string xdg = environment("XDG_CACHE_HOME");
  if (!cache.empty()) {
    options.cache = cache;
  } else if (!home.empty()) {
    options.cache = fs::path(home) / "hub";
  } else {
    const fs::path base = xdg.empty() ? fs::path(environment("HOME")) / ".cache" : fs::path(xdg);
    options.cache = base / "huggingface" / "hub";
  }
  options.endpoint = environment("HF_ENDPOINT");
  if (options.endpoint.empty()) options.endpoint = kDefaultEndpoint;
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  const std::string offline = environment("HF_HUB_OFFLINE");
  const std::set<std::string> truths = {"1", "ON", "YES", "TRUE", "on", "yes", "true"};
  options.is_offline = truths.contains(offline);
  return options;
}

Result<fs::path> download_hub_model(const HubName& name, const HubOptions& options) {
  ANYBIT_ASSIGN(const Listing listing, list_files(name, options));
  ANYBIT_ASSIGN(const std::vector<std::string> files, choose_files(name, listing));
  const fs::path folder = model_folder(name, options);
  const fs::path snapshot = folder / "snapshots" / listing.commit;
  std::error_code error;
  for (const fs::path& needed : {snapshot, folder / "blobs", folder / "refs"}) {
    fs::create_directories(needed, error);
    if (error) return fail(ErrorCode::kIo, "{}: {}", needed.string(), error.message());
  }
  for (const std::string& file : files) {
    const fs::path target = snapshot / file;
    if (fs::exists(target, error)) continue;
    const std::string url = fmt::format("{}/{}/resolve/{}/{}", options.endpoint, repository(name),
                                        listing.commit, percent_encode(file));
    ANYBIT_TRY(fetch_file(url, folder, target, options.progress));
  }
  ANYBIT_TRY(write_file(folder / "refs" / name.revision, listing.commit));
  const std::optional<fs::path> model = model_in(snapshot, name);
  if (!model) {
    return fail(ErrorCode::kNotFound, "{}: no model among the files", snapshot.string());
  }
  return *model;
}

Result<fs::path> find_hub_model(const HubName& name, const HubOptions& options) {
  if (const auto snapshot = cached_snapshot(name, options)) {
    if (auto model = model_in(*snapshot, name)) return *model;
  }
  std::string reason = "downloading is switched off (HF_HUB_OFFLINE)";
  if (!options.is_offline) {
    auto downloaded = download_hub_model(name, options);
    if (downloaded) return downloaded;
    reason = downloaded.error().message;
  }
  return fail(ErrorCode::kNotFound,
              "hf:{} is not in the local cache (looked for revision {} in {}) and cannot be "
              "downloaded: {}. Where there is a network: huggingface-cli download {}",
              repository(name), name.revision, model_folder(name, options).string(), reason,
              repository(name));
}

}  // namespace anybit::model
