// The driver's functions about capturing streams, and about the graphs that come of it.
#include <algorithm>

#include "block.h"
#include "calls.h"
#include "capture.h"
#include "objects.h"

namespace emulator {

Result make_launch(Function* handle, Dim3 grid, Dim3 block_size, unsigned dynamic, void** parameters, void** extra,
                   Node& node);  // in api_module.cpp

namespace {

// CUDA_KERNEL_NODE_PARAMS_v2
struct KernelNodeParameters {
  Function* function;
  Dim3 grid, block;
  unsigned dynamic;
  void** parameters;
  void** extra;
  void* kernel;
  Context* context;
};

Result instantiate(GraphExec** exec, Graph* graph) {
  if (!exec) return INVALID_VALUE;
  if (!graphs().contains(graph)) return INVALID_HANDLE;
  GraphExec* made = new GraphExec{graph->context, graph->nodes, {}};
  for (const std::shared_ptr<Node>& node : graph->nodes) made->nodes.push_back(*node);
  *exec = graph_execs().add(made);
  return SUCCESS;
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------- capture

EXPORT int cuStreamBeginCapture_v2(void* handle, int mode) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (mode < 0 || mode > (int)CaptureMode::RELAXED) return INVALID_VALUE;
  return begin_capture(stream, (CaptureMode)mode);
}

EXPORT int cuStreamEndCapture(void* handle, Graph** graph) {
  ENTER(Needs::CONTEXT);
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!graph) return INVALID_VALUE;
  return end_capture(stream, *graph);
}

EXPORT int cuStreamIsCapturing(void* handle, int* status) {
  ENTER(Needs::CONTEXT);
  enum { NONE, ACTIVE, INVALIDATED };
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  *status = !stream || !stream->capture ? NONE : stream->capture->invalidated ? INVALIDATED : ACTIVE;
  return SUCCESS;
}

EXPORT int cuThreadExchangeStreamCaptureMode(int* mode) {
  ENTER(Needs::INITIALISED);
  if (!mode || *mode < 0 || *mode > (int)CaptureMode::RELAXED) return INVALID_VALUE;
  *mode = (int)exchange_capture_mode((CaptureMode)*mode);
  return SUCCESS;
}

// -------------------------------------------------------------------------------------------------------------- graphs

EXPORT int cuGraphDestroy(Graph* graph) {
  ENTER(Needs::CONTEXT_OR_LOST);
  if (!graphs().remove(graph)) return INVALID_HANDLE;
  delete graph;
  return device_error;
}

EXPORT int cuGraphGetNodes(Graph* graph, Node** nodes, size_t* count) {
  ENTER(Needs::CONTEXT);
  if (!graphs().contains(graph)) return INVALID_HANDLE;
  if (!count) return INVALID_VALUE;
  if (nodes)
    for (size_t i = 0; i < *count; i++) nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
  *count = nodes ? std::min(*count, graph->nodes.size()) : graph->nodes.size();
  return SUCCESS;
}

EXPORT int cuGraphNodeGetType(Node* node, int* type) {
  ENTER(Needs::CONTEXT);
  if (!node || !type) return INVALID_VALUE;
  *type = (int)node->type;
  return SUCCESS;
}

EXPORT int cuGraphInstantiateWithFlags(GraphExec** exec, Graph* graph, unsigned long long) {
  ENTER(Needs::CONTEXT);
  return instantiate(exec, graph);
}

EXPORT int cuGraphInstantiate_v2(GraphExec** exec, Graph* graph, Node**, char* log, size_t size) {
  ENTER(Needs::CONTEXT);
  if (log && size) log[0] = 0;
  return instantiate(exec, graph);
}

EXPORT int cuGraphUpload(GraphExec* exec, void*) {
  ENTER(Needs::CONTEXT);
  return graph_execs().contains(exec) ? SUCCESS : INVALID_HANDLE;
}

EXPORT int cuGraphLaunch(GraphExec* exec, void* handle) {
  ENTER(Needs::CONTEXT);
  static CallSite launches("graph launch");
  if (const int wanted = launches.use()) return wanted;
  Stream* stream = nullptr;
  if (const Result failed = find_stream(handle, stream)) return failed;
  if (!graph_execs().contains(exec)) return INVALID_HANDLE;
  // What the graph is now: later updates do not reach back.
  const auto nodes = std::make_shared<const std::vector<Node>>(exec->nodes);
  return issue(stream, {Node::Type::GRAPH,
                        [nodes] {
                          for (const Node& node : *nodes) run_node(node);
                        },
                        nullptr});
}

EXPORT int cuGraphExecDestroy(GraphExec* exec) {
  ENTER(Needs::CONTEXT_OR_LOST);
  if (!graph_execs().remove(exec)) return INVALID_HANDLE;
  delete exec;
  return device_error;
}

// A kernel of a graph gets other arguments, or another grid, without a new capture.
EXPORT int cuGraphExecKernelNodeSetParams_v2(GraphExec* exec, Node* node, const KernelNodeParameters* parameters) {
  ENTER(Needs::CONTEXT);
  if (!graph_execs().contains(exec)) return INVALID_HANDLE;
  if (!parameters) return INVALID_VALUE;
  for (size_t i = 0; i < exec->originals.size(); i++) {
    if (exec->originals[i].get() != node) continue;
    if (node->type != Node::Type::KERNEL) return INVALID_VALUE;
    return make_launch(parameters->function ? parameters->function : node->function, parameters->grid,
                       parameters->block, parameters->dynamic, parameters->parameters, parameters->extra,
                       exec->nodes[i]);
  }
  return INVALID_VALUE;
}

EXPORT int cuGraphKernelNodeGetParams_v2(Node* node, KernelNodeParameters* parameters) {
  ENTER(Needs::CONTEXT);
  if (!node || !parameters || node->type != Node::Type::KERNEL) return INVALID_VALUE;
  // The driver's array of pointers belongs to the node, and lives as long.
  static auto& pointers = *new std::map<const Node*, std::vector<void*>>;
  std::vector<void*>& values = pointers[node];
  values.clear();
  for (const std::vector<char>& argument : node->launch->arguments) values.push_back((void*)argument.data());
  *parameters = {node->function, node->launch->grid, node->launch->block, (unsigned)node->launch->dynamic_shared,
                 values.data(),  nullptr,            nullptr,             current_context()};
  return SUCCESS;
}

}  // namespace emulator
