#include "kernel_builder.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#ifndef KERNEL_FOLDER
#error "KERNEL_FOLDER: where org/quern/kernels lies"
#endif

extern char** environ;

namespace emulator {
namespace {

std::mutex folders_mutex;
std::vector<std::string> kernel_folders = {KERNEL_FOLDER};

bool read_file(const std::string& path, std::string& text) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  std::ostringstream all;
  all << in.rdbuf();
  text = all.str();
  return true;
}

bool exists(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

uint64_t fnv1a(const std::string& text, uint64_t hash = 0xcbf29ce484222325u) {
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t\r");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// `extern __shared__ __align__(16) float tile[];` becomes `float* tile = (float*)emulated_thread.dynamic_shared;`:
// C++ has no array whose size and place are known at the launch only.
std::string with_dynamic_shared(const std::string& line) {
  const std::string marker = "extern __shared__ ";
  const size_t at = line.find(marker), end = line.find("[]", at == std::string::npos ? 0 : at);
  if (at == std::string::npos || end == std::string::npos) return line;
  std::string declaration = line.substr(at + marker.size(), end - at - marker.size());
  const size_t align = declaration.find("__align__");
  if (align != std::string::npos) declaration.erase(align, declaration.find(')', align) + 1 - align);
  declaration = trimmed(declaration);
  const size_t space = declaration.rfind(' ');
  if (space == std::string::npos) return line;
  const std::string type = trimmed(declaration.substr(0, space)), name = declaration.substr(space + 1);
  return line.substr(0, at) + type + "* " + name + " = (" + type + "*)emulated_thread.dynamic_shared" +
         line.substr(end + 2);
}

// Appends a file with its `#include "..."` lines replaced by what they name, as org.quern.kernels.KernelText does, and
// with #line directives, so that messages tell the file as it was written. Answers false if a file is missing.
bool append_file(const std::string& root, const std::string& path, std::string& out, std::string& log) {
  std::string text;
  if (!read_file(path, text)) {
    log += "no kernel file " + path + "\n";
    return false;
  }
  const std::string include = "#include \"";
  std::istringstream lines(text);
  std::string line;
  out += "#line 1 \"" + path + "\"\n";
  for (int number = 1; std::getline(lines, line); number++) {
    if (line.compare(0, include.size(), include) != 0) {
      out += with_dynamic_shared(line) + "\n";
      continue;
    }
    const std::string name = line.substr(include.size(), line.rfind('"') - include.size());
    const std::string beside = parent_of(path) + "/" + name;
    if (!append_file(root, exists(root + "/" + name) ? root + "/" + name : beside, out, log)) return false;
    out += "#line " + std::to_string(number + 1) + " \"" + path + "\"\n";
  }
  return true;
}

std::string defines(const std::vector<std::string>& definitions) {
  std::string out;
  for (const std::string& definition : definitions) {
    const size_t equals = definition.find('=');
    out += "#define " + definition.substr(0, equals) + " " +
           (equals == std::string::npos ? "1" : definition.substr(equals + 1)) + "\n";
  }
  return out;
}

const char* const LANGUAGE = "#include \"cuda_on_cpu.h\"\n#include \"warp_intrinsics.h\"\n";

std::vector<std::string> compiler_command() {
  const char* compiler = getenv("QUERN_EMULATOR_CXX");
  return {compiler && *compiler ? compiler : "g++", "-std=c++17", "-x", "c++", "-w", "-fmax-errors=5",
          "-fno-diagnostics-show-caret", "-fno-strict-aliasing",
          "-I" + home_folder() + "/device"};
}

// This process's environment, but that messages are in English and in ASCII.
std::vector<char*> plain_environment() {
  static char language[] = "LC_ALL=C";
  std::vector<char*> variables = {language};
  for (char** variable = environ; *variable; variable++)
    if (strncmp(*variable, "LC_ALL=", 7) != 0) variables.push_back(*variable);
  variables.push_back(nullptr);
  return variables;
}

// Runs a command; answers its exit code and appends what it printed on standard error.
int run(const std::vector<std::string>& command, const std::string& output, std::string& log) {
  const std::string messages = output + ".log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&actions, 2, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process;
  const int failed = posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(),
                                 plain_environment().data());
  posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  if (failed) {
    log += command[0] + " cannot be started\n";
  } else {
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    std::string text;
    read_file(messages, text);
    log += text;
  }
  unlink(messages.c_str());
  return failed || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

// Holds other processes, and other threads, off one entry of the cache.
class CacheLock {
 public:
  CacheLock(const std::string& folder, uint64_t key) : file_(open((folder + "/lock").c_str(), O_RDWR | O_CREAT, 0644)) {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = (off_t)(key >> 2);
    range.l_len = 1;
    while (file_ >= 0 && fcntl(file_, F_OFD_SETLKW, &range) < 0 && errno == EINTR) {
    }
  }
  ~CacheLock() {
    if (file_ >= 0) close(file_);
  }
  CacheLock(const CacheLock&) = delete;

 private:
  int file_;
};

// Compiles a whole text, unless the cache has it.
Built compile(const std::string& text, Instrumentation instrumentation) {
  std::vector<std::string> command = compiler_command();
  const bool check = instrumentation == Instrumentation::CHECK;
  for (const char* option : {"-fPIC", "-shared", "-pipe", "-march=x86-64-v3", "-ffp-contract=fast", "-fno-math-errno",
                             "-fno-threadsafe-statics", "-fno-exceptions", "-fno-rtti",
                             // Else statics of templates are shared by all kernels of a process that have one name.
                             "-fno-gnu-unique"})
    command.push_back(option);
  // The hooks of the thread sanitizer call our own checker; its run-time library is not linked.
  if (check)
    for (const char* option : {"-O1", "-g", "-fsanitize=thread", "-nostdlib", "--param=tsan-distinguish-volatile=0"})
      command.push_back(option);
  else
    for (const char* option : {"-O2", "-g1"}) command.push_back(option);

  uint64_t key = fnv1a(text);
  for (const std::string& word : command) key = fnv1a(word, key);
  char name[40];
  snprintf(name, sizeof name, "%016lx%s", (unsigned long)key, check ? "-check" : "");
  const std::string folder = home_folder() + "/kernels", library = folder + "/" + name + ".so";
  if (exists(library)) return {library, ""};

  mkdir(folder.c_str(), 0755);
  CacheLock lock(folder, key);
  if (exists(library)) return {library, ""};
  const std::string unique = folder + "/" + name + "." + std::to_string(getpid());
  const std::string source = unique + ".cu", output = unique + ".so";
  std::ofstream(source, std::ios::binary) << text;
  for (const std::string& word : {std::string("-o"), output, source, "-L" + home_folder(), std::string("-l:libcuda.so.1"),
                                  std::string("-lm"), std::string("-Wl,-z,start-stop-visibility=hidden")})
    command.push_back(word);
  Built built;
  const int code = run(command, unique + ".out", built.log);
  unlink((unique + ".out").c_str());
  unlink(source.c_str());
  if (code == 0 && rename(output.c_str(), library.c_str()) == 0) return {library, built.log};
  unlink(output.c_str());
  if (built.log.empty()) built.log = "g++ ended with code " + std::to_string(code) + "\n";
  return {"", built.log};
}

std::string registrations(const std::vector<std::string>& entries) {
  std::string out;
  for (const std::string& entry : entries) out += "EMULATED_KERNEL(" + entry + ")\n";
  return out;
}

}  // namespace

bool Variant::parse(const std::string& line, Variant& variant) {
  std::istringstream words(line);
  std::string comment, quern, path, definition;
  if (!(words >> comment >> quern >> path) || comment != "//" || quern != "quern") return false;
  const size_t slash = path.find('/');
  if (slash == std::string::npos) return false;
  variant.folder = path.substr(0, slash);
  variant.entry = path.substr(slash + 1);
  variant.definitions.clear();
  while (words >> definition) variant.definitions.push_back(definition);
  return true;
}

const std::string& home_folder() {
  static const std::string folder = [] {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void*>(&home_folder), &info)) return std::string(".");
    char* path = realpath(info.dli_fname, nullptr);
    const std::string answer = parent_of(path ? path : info.dli_fname);
    free(path);
    return answer;
  }();
  return folder;
}

void add_kernel_folder(const std::string& path) {
  std::lock_guard<std::mutex> guard(folders_mutex);
  kernel_folders.push_back(path);
}

Built build_variant(const Variant& variant, Instrumentation instrumentation) {
  std::vector<std::string> folders;
  {
    std::lock_guard<std::mutex> guard(folders_mutex);
    folders = kernel_folders;
  }
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    const std::string base = *folder + "/" + variant.folder + "/" + variant.entry;
    const std::string path = base + (exists(base + ".cu") ? ".cu" : ".cl");
    if (!exists(path)) continue;
    std::string text = LANGUAGE + defines(variant.definitions), log;
    const std::string prelude = *folder + "/prelude.h";
    if (exists(prelude) && !append_file(*folder, prelude, text, log)) return {"", log};
    if (!append_file(*folder, path, text, log)) return {"", log};
    return compile(text + registrations({variant.entry}), instrumentation);
  }
  return {"", "no kernel " + variant.folder + "/" + variant.entry + "\n"};
}

Built build_text(const std::string& text, const std::vector<std::string>& entries,
                 const std::vector<std::string>& definitions, Instrumentation instrumentation) {
  std::istringstream lines(text);
  std::string whole = LANGUAGE + defines(definitions) + "#line 1 \"program\"\n", line;
  while (std::getline(lines, line)) whole += with_dynamic_shared(line) + "\n";
  return compile(whole + registrations(entries), instrumentation);
}

bool read_kernel(const std::string& path, std::string& text, std::string& log) {
  return append_file(path.find('/') == std::string::npos ? "." : parent_of(path), path, text, log);
}

bool find_entries(const std::string& text, const std::vector<std::string>& definitions,
                  std::vector<std::string>& entries, std::string& log) {
  static std::atomic<int> count{0};
  const std::string unique = home_folder() + "/scan." + std::to_string(getpid()) + "." + std::to_string(count++);
  const std::string source = unique + ".cu", output = unique + ".ii";
  // __global__ stays as it is; everything else of the language does not matter to the preprocessor.
  std::ofstream(source, std::ios::binary) << "#define QUERN_INTRINSICS 1\n" << defines(definitions) << text;
  std::vector<std::string> command = compiler_command();
  for (const std::string& word : {std::string("-E"), std::string("-P"), source}) command.push_back(word);
  const int code = run(command, output, log);
  std::string expanded;
  read_file(output, expanded);
  unlink(source.c_str());
  unlink(output.c_str());
  const std::string marker = "__global__";
  for (size_t at = expanded.find(marker); at != std::string::npos; at = expanded.find(marker, at + 1)) {
    size_t name = expanded.find("void", at);  // past __launch_bounds__(...)
    if (name == std::string::npos) break;
    name = expanded.find_first_not_of(" \t\n", name + 4);
    const size_t end = expanded.find_first_of(" \t\n(", name);
    if (end != std::string::npos) entries.push_back(expanded.substr(name, end - name));
  }
  return code == 0;
}

}  // namespace emulator
