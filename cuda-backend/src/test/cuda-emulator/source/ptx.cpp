#include "ptx.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace emulator {
namespace {

const std::string DEFINITION = "// emulator definition ", ENTRY = "// emulator entry ", TEXT = "// emulator program\n";

// The bytes of `.param .u64 name` or `.param .align 8 .b8 name[56]`.
int parameter_size(const std::string& declaration) {
  const size_t bracket = declaration.find('[');
  const int elements = bracket == std::string::npos ? 1 : atoi(declaration.c_str() + bracket + 1);
  std::istringstream words(declaration);
  std::string word;
  int bits = 0;
  while (words >> word)
    if (word.size() > 2 && word[0] == '.' && std::string("bufs").find(word[1]) != std::string::npos && isdigit(word[2]))
      bits = atoi(word.c_str() + 2);
  return bits / 8 * elements;
}

Ptx::Entry parse_entry(const std::string& text, size_t at) {
  Ptx::Entry entry;
  const size_t body = text.find_first_of("{;", at), open = text.find('(', at);
  if (open < body) {
    std::istringstream parameters(text.substr(open + 1, text.find(')', open) - open - 1));
    std::string declaration;
    while (std::getline(parameters, declaration, ','))
      if (declaration.find(".param") != std::string::npos) entry.parameter_sizes.push_back(parameter_size(declaration));
  }
  const size_t most = text.find(".maxntid", at);
  int x = 0, y = 1, z = 1;
  if (most < body && sscanf(text.c_str() + most, ".maxntid %d , %d , %d", &x, &y, &z) >= 1)
    entry.most_threads = x * y * z;
  return entry;
}

// Where a directive stands at the beginning of a line; npos where it does not.
size_t find_directive(const std::string& text, const std::string& directive) {
  if (text.compare(0, directive.size(), directive) == 0) return 0;
  const size_t at = text.find("\n" + directive);
  return at == std::string::npos ? at : at + 1;
}

}  // namespace

Result Ptx::parse(const std::string& text, Ptx& ptx, std::string& log) {
  const size_t version = find_directive(text, ".version"), target = find_directive(text, ".target");
  int major = 0, minor = 0;
  if (version == std::string::npos || target == std::string::npos ||
      sscanf(text.c_str() + version, ".version %d.%d", &major, &minor) != 2 ||
      sscanf(text.c_str() + target, ".target sm_%d", &ptx.target) != 1) {
    log += "no .version or no .target: this is no PTX\n";
    return INVALID_PTX;
  }
  ptx.version = 10 * major + minor;
  const std::string entry = ".entry ";
  for (size_t at = text.find(entry); at != std::string::npos; at = text.find(entry, at + 1)) {
    const size_t name = at + entry.size(), end = text.find_first_of("( \t\r\n", name);
    ptx.entries[text.substr(name, end - name)] = parse_entry(text, name);
  }
  return SUCCESS;
}

int newest_ptx(int driver_version) {
  struct Release {
    int driver, ptx;
  };
  static const Release RELEASES[] = {{11000, 70}, {11010, 71}, {11020, 72}, {11030, 73}, {11040, 74},  {11050, 75},
                                     {11060, 76}, {11070, 77}, {11080, 78}, {12000, 80}, {12010, 81}, {12020, 82},
                                     {12030, 83}, {12040, 84}, {12050, 85}, {12070, 86}, {12080, 87}, {12090, 88},
                                     {13000, 90}};
  int newest = 65;
  for (const Release& release : RELEASES)
    if (driver_version >= release.driver) newest = release.ptx;
  return newest;
}

std::string embed(const Program& program, int target) {
  std::string out = ".version 8.5\n.target sm_" + std::to_string(target) + "\n.address_size 64\n";
  for (const std::string& definition : program.definitions) out += DEFINITION + definition + "\n";
  for (const std::string& entry : program.entries) out += ENTRY + entry + "\n";
  return out + TEXT + program.text;
}

bool extract(const std::string& ptx, Program& program) {
  const size_t text = ptx.find(TEXT);
  if (text == std::string::npos) return false;
  std::istringstream head(ptx.substr(0, text));
  std::string line;
  while (std::getline(head, line)) {
    if (line.compare(0, DEFINITION.size(), DEFINITION) == 0) program.definitions.push_back(line.substr(DEFINITION.size()));
    if (line.compare(0, ENTRY.size(), ENTRY) == 0) program.entries.push_back(line.substr(ENTRY.size()));
  }
  program.text = ptx.substr(text + TEXT.size());
  return true;
}

}  // namespace emulator
