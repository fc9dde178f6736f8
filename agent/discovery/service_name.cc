// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/service_name.h"

#include <algorithm>
#include <vector>

#include "agent/discovery/resource_attributes.h"

namespace clew::discovery {
namespace {

using Words = std::span<const std::string_view>;

/// What a word on the command line that is no option stands for.
enum class Operand : uint8_t {
  kFile,      // a path or URL: its last part is the name
  kClass,     // a Java class or a source file
  kAssembly,  // only *.dll and *.exe are programs, other words are commands of the tool itself
  kModule,    // only what has a dot or slash is a program, other words are tasks of the tool itself
};

/// How one interpreter reads its options, as far as needed to find the program among them. Short options are single letters that may
/// be bundled ("-Bum http.server"); an interpreter with long options behind one dash (java) has none.
struct Interpreter {
  std::string_view names;         // of the executable, without version: " python pypy "
  std::string_view glued = {};    // short options whose value is always the rest of the word
  std::string_view valued = {};   // short options whose value is the rest of the word, else the next word
  std::string_view code = {};     // short options that bring the program along as text: there is no script
  std::string_view program = {};  // short options whose value is the program
  Words long_valued = {};         // options whose value is the next word, unless written with '='
  Words long_code = {};
  Words long_program = {};
  Words commands = {};  // words in first place that are passed over
  Operand operand = Operand::kFile;
};

constexpr std::string_view kPythonValued[] = {"--check-hash-based-pycs"};
constexpr std::string_view kNodeValued[] = {"--require",
                                            "--import",
                                            "--loader",
                                            "--experimental-loader",
                                            "--conditions",
                                            "--title",
                                            "--icu-data-dir",
                                            "--openssl-config",
                                            "--env-file",
                                            "--env-file-if-exists",
                                            "--input-type",
                                            "--experimental-default-type",
                                            "--inspect-port",
                                            "--debug-port",
                                            "--diagnostic-dir",
                                            "--max-http-header-size",
                                            "--dns-result-order",
                                            "--unhandled-rejections",
                                            "--redirect-warnings",
                                            "--report-dir",
                                            "--report-directory",
                                            "--report-filename",
                                            "--report-signal",
                                            "--trace-event-categories",
                                            "--trace-event-file-pattern",
                                            "--tls-cipher-list",
                                            "--tls-keylog",
                                            "--disable-warning",
                                            "--watch-path",
                                            "--cpu-prof-dir",
                                            "--heapsnapshot-signal",
                                            "--secure-heap",
                                            "--localstorage-file",
                                            "--experimental-config-file",
                                            "--stack-trace-limit",
                                            "--use-largepages"};
constexpr std::string_view kNodeCode[] = {"--eval", "--print", "-pe", "--run"};
constexpr std::string_view kNodeCommands[] = {"inspect", "debug"};
constexpr std::string_view kJavaValued[] = {"-cp",
                                            "-classpath",
                                            "--class-path",
                                            "-p",
                                            "--module-path",
                                            "--upgrade-module-path",
                                            "--add-modules",
                                            "--limit-modules",
                                            "--add-exports",
                                            "--add-opens",
                                            "--add-reads",
                                            "--patch-module",
                                            "--enable-native-access",
                                            "--describe-module",
                                            "-d",
                                            "--source",
                                            "--finalization"};
constexpr std::string_view kJavaProgram[] = {"-jar", "-m", "--module"};
constexpr std::string_view kRubyValued[] = {"--encoding", "--external-encoding", "--internal-encoding", "--enable", "--disable", "--parser",
                                            "--dump",     "--backtrace-limit"};
constexpr std::string_view kPhpValued[] = {"--php-ini", "--define", "--server", "--docroot", "--zend-extension", "--process-begin"};
constexpr std::string_view kPhpCode[] = {"--run", "--process-code"};
constexpr std::string_view kPhpProgram[] = {"--file", "--process-file"};
constexpr std::string_view kShellValued[] = {"--rcfile", "--init-file"};
constexpr std::string_view kDenoValued[] = {"--config",    "--import-map", "--lock", "--location", "--cert", "--seed",
                                            "--log-level", "--port",       "--host", "--env-file", "--ext",  "--preload"};
constexpr std::string_view kDenoCommands[] = {"run", "serve"};
constexpr std::string_view kBunValued[] = {"--preload",           "--require",    "--import",   "--port",   "--cwd",      "--config",
                                           "--tsconfig-override", "--define",     "--external", "--loader", "--env-file", "--filter",
                                           "--conditions",        "--main-fields"};
constexpr std::string_view kBunCode[] = {"--eval", "--print"};
constexpr std::string_view kBunCommands[] = {"run"};
constexpr std::string_view kDotnetValued[] = {"--runtimeconfig", "--depsfile",     "--additionalprobingpath",          "--additional-deps",
                                              "--fx-version",    "--roll-forward", "--roll-forward-on-no-candidate-fx"};
constexpr std::string_view kDotnetCommands[] = {"exec"};
constexpr std::string_view kLoaderValued[] = {"--library-path",         "--preload",          "--audit", "--argv0", "--inhibit-rpath",
                                              "--glibc-hwcaps-prepend", "--glibc-hwcaps-mask"};

constexpr Interpreter kInterpreters[] = {
    {.names = " python pypy ", .valued = "WXQ", .code = "c", .program = "m", .long_valued = kPythonValued},
    {.names = " node nodejs ", .valued = "rC", .code = "ep", .long_valued = kNodeValued, .long_code = kNodeCode, .commands = kNodeCommands},
    {.names = " java ", .long_valued = kJavaValued, .long_program = kJavaProgram, .operand = Operand::kClass},
    {.names = " ruby jruby truffleruby ", .glued = "KTWxi0F", .valued = "IrCE", .code = "e", .long_valued = kRubyValued},
    {.names = " perl ", .glued = "mMFiVDC0lxd", .valued = "I", .code = "eE"},
    {.names = " php php-cgi ",
     .valued = "Sctdz",
     .code = "rBRE",
     .program = "fF",
     .long_valued = kPhpValued,
     .long_code = kPhpCode,
     .long_program = kPhpProgram},
    {.names = " bash sh dash zsh ksh ash ", .valued = "oO", .code = "c", .long_valued = kShellValued},
    {.names = " lua luajit ", .valued = "ljO", .code = "e"},
    {.names = " tclsh wish "},
    {.names = " mono ", .operand = Operand::kAssembly},
    {.names = " deno ", .valued = "cL", .long_valued = kDenoValued, .commands = kDenoCommands, .operand = Operand::kModule},
    {.names = " bun ",
     .valued = "rdl",
     .code = "ep",
     .long_valued = kBunValued,
     .long_code = kBunCode,
     .commands = kBunCommands,
     .operand = Operand::kModule},
    {.names = " dotnet ", .long_valued = kDotnetValued, .commands = kDotnetCommands, .operand = Operand::kAssembly},
    {.names = " ld-linux ld-musl ld ", .long_valued = kLoaderValued},
};

/// Scripts that run another script in their own process: "bundle exec puma", "ts-node -P x.json server.ts".
constexpr std::string_view kBundleCommands[] = {"exec"};
constexpr std::string_view kTsNodeValued[] = {
    "--project", "--require",   "--compiler", "--compiler-options", "--ignore",  "--ignore-diagnostics",
    "--cwd",     "--scope-dir", "--import",   "--tsconfig",         "--env-file"};
constexpr std::string_view kTsNodeCode[] = {"--eval", "--print"};
constexpr Interpreter kLaunchers[] = {
    {.names = " bundle bundler ", .commands = kBundleCommands},
    {.names = " ts-node ts-node-esm ts-node-dev tsx babel-node ",
     .valued = "PrCIDO",
     .code = "ep",
     .long_valued = kTsNodeValued,
     .long_code = kTsNodeCode,
     .operand = Operand::kModule},
};

/// One executable for many programs, told apart by the name they are called by.
constexpr std::string_view kMultiCall = " busybox toybox coreutils ";

bool listed(std::string_view names, std::string_view name) {
  if (name.empty() || name.find(' ') != std::string_view::npos) return false;
  const size_t at = names.find(name);
  // A name inside a longer one ("sh" in "bash") has no blanks around it: look on.
  for (size_t i = at; i != std::string_view::npos; i = names.find(name, i + 1)) {
    if (names[i - 1] == ' ' && names[i + name.size()] == ' ') return true;
  }
  return false;
}

bool contains(Words words, std::string_view word) { return std::ranges::find(words, word) != words.end(); }

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.substr(path.rfind('/') + 1);
}

/// "python3.11" → "python", "python3.13t" → "python", "ld-linux-x86-64.so.2" → "ld-linux". "node7-exporter" is a program of its own.
std::string_view without_version(std::string_view name) {
  if (name.starts_with("ld-linux")) return "ld-linux";
  if (name.starts_with("ld-musl")) return "ld-musl";
  const size_t digit = name.find_first_of("0123456789");
  if (digit == std::string_view::npos || digit == 0) return name;
  std::string_view version = name.substr(digit);
  if (version.ends_with("-dbg")) version.remove_suffix(4);
  while (!version.empty() && std::string_view("dmtu").contains(version.back())) version.remove_suffix(1);  // CPython's ABI flags
  const bool is_version = version.find_first_not_of("0123456789.") == std::string_view::npos;
  if (!is_version) return name;
  name = name.substr(0, digit);
  if (name.ends_with('-')) name.remove_suffix(1);
  return name;
}

const Interpreter* find_interpreter(std::span<const Interpreter> table, std::string_view name) {
  const auto found = std::ranges::find_if(table, [&](const Interpreter& entry) { return listed(entry.names, name); });
  return found == table.end() ? nullptr : &*found;
}

/// What a single word of the command line does to the search for the program.
struct Step {
  enum class Kind : uint8_t { kSkip, kSkipTwo, kCode, kProgramIsNext, kProgram, kOperand, kEndOfOptions } kind;
  std::string_view program = {};  // kProgram
};
using Kind = Step::Kind;

Step long_option(const Interpreter& interpreter, std::string_view word) {
  const size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const bool has_value = equals != std::string_view::npos;
  if (contains(interpreter.long_code, name)) return {Kind::kCode};
  if (contains(interpreter.long_program, name))
    return has_value ? Step{Kind::kProgram, word.substr(equals + 1)} : Step{Kind::kProgramIsNext};
  return {contains(interpreter.long_valued, name) && !has_value ? Kind::kSkipTwo : Kind::kSkip};
}

Step short_options(const Interpreter& interpreter, std::string_view word) {
  for (size_t i = 1; i < word.size(); ++i) {
    const char c = word[i];
    const bool last = i + 1 == word.size();
    if (interpreter.code.contains(c)) return {Kind::kCode};
    if (interpreter.glued.contains(c)) return {Kind::kSkip};
    if (interpreter.valued.contains(c)) return {last ? Kind::kSkipTwo : Kind::kSkip};
    if (interpreter.program.contains(c)) return last ? Step{Kind::kProgramIsNext} : Step{Kind::kProgram, word.substr(i + 1)};
  }
  return {Kind::kSkip};
}

Step step(const Interpreter& interpreter, std::string_view word) {
  if (word == "--") return {Kind::kEndOfOptions};
  if (word == "-") return {Kind::kCode};  // the program comes on standard input
  // Options that an interpreter writes in full behind one dash, and shells' "+o option".
  if (word.starts_with("--") || contains(interpreter.long_valued, word) || contains(interpreter.long_program, word) ||
      contains(interpreter.long_code, word))
    return long_option(interpreter, word);
  if (word.starts_with('-') || (word.starts_with('+') && interpreter.names.contains(" sh "))) return short_options(interpreter, word);
  if (word.starts_with('@') && interpreter.operand == Operand::kClass) return {Kind::kSkip};  // java's file of arguments
  return {Kind::kOperand};
}

std::string operand_name(Operand kind, std::string_view word) {
  if (kind == Operand::kClass && !word.ends_with(".java")) {
    std::string name(word);
    std::ranges::replace(name, '/', '.');  // the virtual machine's way to write a class
    return name;
  }
  const bool url = word.find("://") != std::string_view::npos;
  if (url) word = word.substr(0, word.find_first_of("?#"));
  std::string_view name = base_name(word);
  if (kind == Operand::kAssembly && !name.ends_with(".dll") && !name.ends_with(".exe")) return {};
  if (kind == Operand::kModule && word.find_first_of("./") == std::string_view::npos) return {};
  if (name == "__main__.py") {  // a package run as a directory: its own name says nothing
    const std::string_view package = base_name(word.substr(0, word.size() - name.size()));
    if (!package.empty() && package != "/" && package != "." && package != "..") name = package;
  }
  if (name == "." || name == ".." || name == "/") return {};
  return std::string(name);
}

/// The value of an option that names the program: a module, or java's "-jar x.jar" and "-m module/class".
std::string option_value_name(const Interpreter& interpreter, std::string_view value) {
  if (interpreter.operand == Operand::kClass) return std::string(base_name(value));
  return operand_name(interpreter.operand, value);
}

/// The program among `words`, which follow the interpreter's own name; empty if there is none to be named.
std::string find_program(const Interpreter& interpreter, std::span<const std::string> words) {
  bool options = true;
  bool first_operand = true;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const Step what = options ? step(interpreter, word) : Step{Kind::kOperand};
    switch (what.kind) {
      case Kind::kSkip: break;
      case Kind::kSkipTwo: ++i; break;
      case Kind::kEndOfOptions: options = false; break;
      case Kind::kCode: return {};
      case Kind::kProgram: return option_value_name(interpreter, what.program);
      case Kind::kProgramIsNext: return i + 1 < words.size() ? option_value_name(interpreter, words[i + 1]) : std::string();
      case Kind::kOperand: {
        if (word.empty()) return {};
        if (std::exchange(first_operand, false) && contains(interpreter.commands, word)) break;
        std::string name = operand_name(interpreter.operand, word);
        if (const Interpreter* launcher = find_interpreter(kLaunchers, name)) {
          std::string launched = find_program(*launcher, words.subspan(i + 1));
          if (!launched.empty()) return launched;
        }
        return name;
      }
    }
  }
  return {};
}

/// A title that the program wrote over its arguments is one word with blanks in it: "gunicorn: master [shop]", "node /srv/app.js".
bool is_title(std::string_view exe, std::span<const std::string> argv) {
  if (argv.size() != 1) return false;
  // Not a title: an executable whose path has a blank.
  return argv[0].find(' ') != std::string::npos && base_name(argv[0]) != base_name(exe);
}

std::vector<std::string> split_at_blanks(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string name_of_title(const Interpreter& interpreter, std::string_view title) {
  const std::vector<std::string> words = split_at_blanks(title);
  if (words.empty()) return {};
  if (listed(interpreter.names, without_version(base_name(words[0])))) return find_program(interpreter, std::span(words).subspan(1));
  std::string_view name = base_name(words[0]);
  if (name.starts_with('[')) name.remove_prefix(1);  // "[celeryd: …]"
  return std::string(name.substr(0, name.find_first_of(":]")));
}

}  // namespace

std::string program_name(std::string_view exe, std::span<const std::string> argv) {
  std::string_view called = argv.empty() ? std::string_view() : std::string_view(argv[0]);
  if (called.starts_with('-')) called.remove_prefix(1);  // a login shell
  const std::string_view file = base_name(exe.empty() ? called : exe);

  if (listed(kMultiCall, file)) {
    std::string_view applet = base_name(called);
    if (listed(kMultiCall, applet) && argv.size() > 1) applet = argv[1];
    if (const Interpreter* shell = find_interpreter(kInterpreters, applet); shell != nullptr && !argv.empty()) {
      std::string script = find_program(*shell, argv.subspan(1));
      if (!script.empty()) return script;
    }
    return std::string(applet.empty() ? file : applet);
  }

  const Interpreter* interpreter = find_interpreter(kInterpreters, without_version(file));
  if (interpreter == nullptr || argv.empty()) return std::string(file);
  std::string program = is_title(exe, argv) ? name_of_title(*interpreter, argv[0]) : find_program(*interpreter, argv.subspan(1));
  return program.empty() ? std::string(file) : program;
}

std::string_view name_of(ServiceName::Source source) {
  switch (source) {
    case ServiceName::Source::kServiceNameVariable: return "OTEL_SERVICE_NAME of the process";
    case ServiceName::Source::kResourceAttributesVariable: return "OTEL_RESOURCE_ATTRIBUTES of the process";
    case ServiceName::Source::kWorkload: return "its Kubernetes owner";
    case ServiceName::Source::kProgram: return "the script or executable that it runs";
    case ServiceName::Source::kComm: return "the name of its main thread";
  }
  return "unknown";
}

ServiceName service_name(const ProcessInfo& process, std::string_view workload) {
  using Source = ServiceName::Source;
  if (const std::string_view name = process.variable("OTEL_SERVICE_NAME"); !name.empty())
    return {std::string(name), Source::kServiceNameVariable};
  if (const auto attributes = parse_resource_attributes(process.variable("OTEL_RESOURCE_ATTRIBUTES"))) {
    if (const std::string_view name = find_attribute(*attributes, "service.name"); !name.empty())
      return {std::string(name), Source::kResourceAttributesVariable};
  }
  if (!workload.empty()) return {std::string(workload), Source::kWorkload};
  if (std::string name = program_name(process.exe, process.argv); !name.empty()) return {std::move(name), Source::kProgram};
  return {process.comm.empty() ? "unknown_service" : process.comm, Source::kComm};
}

}  // namespace clew::discovery
