// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "agent/discovery/elf_file.h"

namespace clew::discovery {
namespace {

using Runtime = Executable::Runtime;

constexpr size_t kMaxSymbolBytes = size_t{64} << 20;
constexpr size_t kMaxSmallBytes = size_t{1} << 20;
constexpr size_t kMaxMapsBytes = size_t{16} << 20;
constexpr std::string_view kGoTlsRead = "crypto/tls.(*Conn).Read";

/// What a defined symbol gives away.
struct Sign {
  std::string_view symbol;
  std::string_view tls;  // the library that is linked in, or empty
  Runtime runtime = Runtime::kNative;
};
constexpr std::array kSigns = {
    Sign{"SSL_read", "openssl"},
    Sign{"SSL_CTX_set_grease_enabled", "boringssl"},  // OpenSSL has no such function
    Sign{"gnutls_record_recv", "gnutls"},
    Sign{"mbedtls_ssl_read", "mbedtls"},
    Sign{"wolfSSL_read", "wolfssl"},
    Sign{"s2n_recv", "s2n"},
    Sign{kGoTlsRead, "go crypto/tls"},
    Sign{"Py_BytesMain", "", Runtime::kCpython},
    Sign{"napi_module_register", "", Runtime::kNode},
    Sign{"ruby_sysinit", "", Runtime::kRuby},
    Sign{"Perl_runops_standard", "", Runtime::kPerl},
    Sign{"php_module_startup", "", Runtime::kPhp},
    Sign{"haproxy_version", "", Runtime::kHaproxy},
    Sign{"rust_eh_personality", "", Runtime::kRust},
};

/// What a needed library gives away; the version stands between `prefix` and ".so", or behind it.
struct Library {
  std::string_view prefix;
  Runtime runtime;
};
constexpr std::array kLibraries = {Library{"libpython", Runtime::kCpython}, Library{"libnode.so", Runtime::kNode},
                                   Library{"libjli.so", Runtime::kJvm}, Library{"libruby-", Runtime::kRuby},
                                   Library{"libperl.so.", Runtime::kPerl}};

/// Last resort: launchers that show nothing of their runtime.
constexpr std::array kNames = {Library{"java", Runtime::kJvm}, Library{"dotnet", Runtime::kDotnet}, Library{"deno", Runtime::kDeno},
                               Library{"bun", Runtime::kBun}};

void add_once(std::vector<std::string>& list, std::string_view text) {
  if (std::ranges::find(list, text) == list.end()) list.emplace_back(text);
}

/// "3.11" of "libpython3.11.so.1.0", "5.36" of "libperl.so.5.36".
std::string version_in(std::string_view name, std::string_view prefix) {
  name.remove_prefix(std::min(prefix.size(), name.size()));
  name = name.substr(0, name.find_first_not_of("0123456789."));
  while (name.ends_with('.')) name.remove_suffix(1);
  return std::string(name);
}

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64: return "amd64";
    case EM_AARCH64: return "arm64";
    case EM_386: return "x86";
    case EM_ARM: return "arm32";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390x";
    case EM_RISCV: return "riscv64";
    default: return fmt::format("{}", machine);
  }
}

/// The version in .go.buildinfo, laid out as debug/buildinfo describes it: since Go 1.18 a string with its length before it, at 32.
std::string go_version(std::string_view build_info) {
  static constexpr std::string_view kMagic = "\xff Go buildinf:";
  static constexpr size_t kFlags = 15;
  static constexpr size_t kStrings = 32;
  const size_t at = build_info.find(kMagic);
  if (at == std::string_view::npos || build_info.size() < at + kStrings) return {};
  build_info.remove_prefix(at);
  if ((build_info[kFlags] & 2) == 0) return {};
  size_t length = 0;
  size_t position = kStrings;
  for (unsigned shift = 0; position < build_info.size() && shift < 28; shift += 7) {
    const auto byte = static_cast<uint8_t>(build_info[position++]);
    length |= size_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  if (length > build_info.size() - position || length > 256) return {};
  return std::string(build_info.substr(position, length));
}

class Inspection {
 public:
  Inspection(const ElfFile& file, Executable& result) : file_(file), result_(result) {}

  void section(const ElfFile::Section& section) {
    if (section.header.sh_type == SHT_SYMTAB) has_symbol_table_ = true;
    if (section.header.sh_type == SHT_SYMTAB || section.header.sh_type == SHT_DYNSYM) symbols(section);
    if (section.header.sh_type == SHT_DYNAMIC) dynamic(section);
    if (section.name == ".go.buildinfo") {
      result_.runtime = Runtime::kGo;
      result_.version = go_version(file_.contents(section, kMaxSmallBytes));
    } else if (section.name == ".note.go.buildid") {
      result_.runtime = Runtime::kGo;
    } else if (section.name == ".gopclntab" || section.name == ".data.rel.ro.gopclntab") {
      // Function names stay here when the symbol table is stripped.
      if (file_.contents(section, kMaxSymbolBytes).find(kGoTlsRead) != std::string_view::npos)
        add_once(result_.static_tls, "go crypto/tls");
    } else if (section.name == ".comment") {
      if (file_.contents(section, kMaxSmallBytes).find("rustc version") != std::string_view::npos) hint(Runtime::kRust);
    }
  }

  void finish(std::string_view name) {
    result_.stripped = !has_symbol_table_;
    // BoringSSL has OpenSSL's function names too.
    if (std::ranges::find(result_.static_tls, "boringssl") != result_.static_tls.end()) std::erase(result_.static_tls, "openssl");
    for (const std::string& library : result_.needed) {
      for (const Library& known : kLibraries) {
        if (!library.starts_with(known.prefix)) continue;
        hint(known.runtime);
        if (result_.runtime == known.runtime && result_.version.empty()) result_.version = version_in(library, known.prefix);
      }
    }
    for (const Library& known : kNames) {
      if (name == known.prefix) hint(known.runtime);
    }
    if (result_.runtime == Runtime::kCpython && python_version_ != 0)  // PY_VERSION_HEX: 0x030b02f0 is 3.11.2 final
      result_.version = fmt::format("{}.{}.{}", python_version_ >> 24, python_version_ >> 16 & 0xff, python_version_ >> 8 & 0xff);
  }

 private:
  /// An interpreter may well be written in Rust or Go and hold a Perl: what was found first and is most particular stays.
  void hint(Runtime runtime) {
    if (result_.runtime == Runtime::kNative || result_.runtime == Runtime::kRust) result_.runtime = runtime;
  }

  void symbols(const ElfFile::Section& section) {
    Elf_Data* const data = section.header.sh_entsize == 0 ? nullptr : file_.data(section, kMaxSymbolBytes);
    if (data == nullptr) return;
    const size_t count = section.header.sh_size / section.header.sh_entsize;
    for (size_t i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (::gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      if (symbol.st_shndx != SHN_UNDEF) defined(file_.text(section, symbol.st_name), symbol.st_value);
    }
  }

  void defined(std::string_view name, uint64_t address) {
    if (name.find("6rustls") != std::string_view::npos) add_once(result_.static_tls, "rustls");
    if (name == "Py_Version") file_.read_word(address, python_version_);
    const auto* sign = std::ranges::find(kSigns, name, &Sign::symbol);
    if (sign == kSigns.end()) return;
    if (!sign->tls.empty()) add_once(result_.static_tls, sign->tls);
    if (sign->runtime != Runtime::kNative) hint(sign->runtime);
  }

  void dynamic(const ElfFile::Section& section) {
    Elf_Data* const data = section.header.sh_entsize == 0 ? nullptr : file_.data(section, kMaxSmallBytes);
    if (data == nullptr) return;
    const size_t count = section.header.sh_size / section.header.sh_entsize;
    for (size_t i = 0; i < count; ++i) {
      GElf_Dyn entry;
      if (::gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr || entry.d_tag == DT_NULL) break;
      if (entry.d_tag != DT_NEEDED) continue;
      const std::string_view name = file_.text(section, entry.d_un.d_val);
      if (!name.empty()) result_.needed.emplace_back(name);
    }
  }

  const ElfFile& file_;
  Executable& result_;
  bool has_symbol_table_ = false;
  uint32_t python_version_ = 0;
};

std::string_view kind_of(std::string_view file_name) {
  struct Kind {
    std::string_view prefix;
    std::string_view kind;
  };
  static constexpr std::array kKinds = {
      Kind{"libssl.", "openssl"},
      Kind{"libssl-", "openssl"},  // Python wheels bring "libssl-3a880ada.so.1.1" along
      Kind{"libgnutls.", "gnutls"},
      Kind{"libssl3.", "nss"},
      Kind{"libnspr4.", "nss"},
      Kind{"libmbedtls.", "mbedtls"},
      Kind{"libwolfssl.", "wolfssl"},
      Kind{"libs2n.", "s2n"},
      Kind{"libnetty_tcnative", "boringssl"},
      Kind{"libconscrypt", "boringssl"},
      Kind{"cygrpc.", "boringssl"},
      Kind{"libpython3", "cpython"},
      Kind{"libnode.", "node"},
      Kind{"libjvm.", "jvm"},
      Kind{"libruby", "ruby"},
      Kind{"libperl.", "perl"},
      Kind{"libcoreclr.", "dotnet"},
  };
  const auto* found = std::ranges::find_if(kKinds, [&](const Kind& kind) { return file_name.starts_with(kind.prefix); });
  return found == kKinds.end() ? std::string_view() : found->kind;
}

}  // namespace

std::string_view name_of(Executable::Runtime runtime) {
  switch (runtime) {
    case Runtime::kNative: return "native";
    case Runtime::kGo: return "go";
    case Runtime::kRust: return "rust";
    case Runtime::kCpython: return "cpython";
    case Runtime::kNode: return "nodejs";
    case Runtime::kJvm: return "jvm";
    case Runtime::kRuby: return "ruby";
    case Runtime::kPerl: return "perl";
    case Runtime::kPhp: return "php";
    case Runtime::kDotnet: return "dotnet";
    case Runtime::kDeno: return "deno";
    case Runtime::kBun: return "bun";
    case Runtime::kHaproxy: return "haproxy";
  }
  return "native";
}

base::Result<Executable> inspect_executable(const std::string& path) {
  CLEW_TRY(const ElfFile file, ElfFile::open(path));
  if (file.header().e_type != ET_EXEC && file.header().e_type != ET_DYN)
    return base::fail(fmt::format("{} is an ELF file, but not a program", path));

  Executable result;
  result.machine = machine_name(file.header().e_machine);
  result.position_independent = file.header().e_type == ET_DYN;
  result.dynamic = file.has_segment(PT_INTERP);
  Inspection inspection(file, result);
  file.for_each_section([&](const ElfFile::Section& section) { inspection.section(section); });
  result.dynamic = result.dynamic || !result.needed.empty();

  std::error_code not_a_link;
  const std::filesystem::path target = std::filesystem::read_symlink(path, not_a_link);
  inspection.finish((not_a_link ? std::filesystem::path(path) : target).filename().string());
  return result;
}

std::vector<MappedLibrary> parse_maps(std::string_view maps) {
  std::vector<MappedLibrary> libraries;
  while (!maps.empty()) {
    const size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    const size_t slash = line.find('/');
    if (slash == std::string_view::npos) continue;
    MappedLibrary library;
    std::string_view path = line.substr(slash);
    library.deleted = path.ends_with(" (deleted)");
    if (library.deleted) path.remove_suffix(10);
    library.kind = kind_of(path.substr(path.rfind('/') + 1));
    if (library.kind.empty()) continue;
    // "address permissions offset device inode   /path"
    const size_t last = line.find_last_not_of(' ', slash - 1);
    const size_t blank = last == std::string_view::npos ? last : line.rfind(' ', last);
    if (blank == std::string_view::npos) continue;
    const auto parsed = std::from_chars(line.data() + blank + 1, line.data() + last + 1, library.inode);
    if (parsed.ec != std::errc()) continue;
    library.path = path;
    const auto same = [&](const MappedLibrary& other) { return other.inode == library.inode && other.path == library.path; };
    if (std::ranges::none_of(libraries, same)) libraries.push_back(std::move(library));
  }
  return libraries;
}

base::Result<std::vector<MappedLibrary>> mapped_libraries(const ProcFs& proc, uint32_t process_id) {
  CLEW_TRY(const Directory process, Directory::open(fmt::format("{}/{}", proc.root, process_id)));
  std::string text;
  const Directory::Read read = process.read("maps", kMaxMapsBytes, text);
  if (read.error != 0)
    return base::fail(fmt::format("cannot read the memory map of process {}: {}", process_id, std::generic_category().message(read.error)));
  return parse_maps(text);
}

}  // namespace clew::discovery
