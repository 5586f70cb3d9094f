// A small execution provider with a memory of its own, for ONNX Runtime to register. It has two devices, 1 and 0, which it lists in this order.
// It takes models that consist of Neg only; the CPU provider runs all others. Compiled by the tests where there are a compiler and ONNX
// Runtime's headers.
//
// What lies in a device's memory is scrambled: every byte is XORed with 0x5A. Only the data transfer and the kernel know, so whoever reads or
// writes such memory as if it were the host's gets wrong numbers.
//
// With the option enable_cuda_graph it records runs as ONNX Runtime's header describes it: the first run with a number is an ordinary one, the
// second is recorded with the addresses of its tensors, and those addresses are what a replay reads and writes.
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "onnxruntime_c_api.h"

// Given by the compiler's command line: a name, and a vendor's number by which ONNX Runtime tells memories apart.
#ifndef PROVIDER
#define PROVIDER "TestExecutionProvider"
#define VENDOR 0x7e57
#endif

enum { DEVICES = 2, MOST_GRAPHS = 1024, MOST_NODES = 16, SCRAMBLED = 0x5A };

// Counted for the tests, which run one after the other.
enum { COPIES_IN, COPIES_OUT, DEVICE_BLOCKS, PINNED_BLOCKS, RUNS, RECORDED, REPLAYED, UNRECORDED, PINNED_COPIES, COUNTERS };
static int counters[COUNTERS];
__attribute__((visibility("default"))) int TestCounter(int which) { return counters[which]; }

static const OrtApi* api;
static const OrtEpApi* ep_api;
static OrtMemoryInfo* device_memory[DEVICES];
static OrtMemoryInfo* pinned_memory[DEVICES];

#define RETURN_IF_FAILED(call) do { OrtStatus* failed = (call); if (failed != NULL) return failed; } while (0)

// ---- the factory's names

static const char* ORT_API_CALL FactoryName(const OrtEpFactory* factory) { return PROVIDER; }
static const char* ORT_API_CALL FactoryVendor(const OrtEpFactory* factory) { return "Test"; }
static uint32_t ORT_API_CALL FactoryVendorId(const OrtEpFactory* factory) { return VENDOR; }
static const char* ORT_API_CALL FactoryVersion(const OrtEpFactory* factory) { return "1.0.0"; }

static OrtStatusPtr ORT_API_CALL SupportedDevices(
    OrtEpFactory* factory, const OrtHardwareDevice* const* devices, size_t count, OrtEpDevice** found, size_t most, size_t* found_count) {
  static const char* const numbers[DEVICES] = {"0", "1"};
  *found_count = 0;
  for (size_t i = 0; i < count && *found_count == 0; i++) {
    if (api->HardwareDevice_Type(devices[i]) != OrtHardwareDeviceType_CPU) continue;
    for (int number = DEVICES - 1; number >= 0 && *found_count < most; number--) {
      OrtKeyValuePairs* options = NULL;
      api->CreateKeyValuePairs(&options);
      api->AddKeyValuePair(options, "device_id", numbers[number]);
      OrtStatus* status = ep_api->CreateEpDevice(factory, devices[i], NULL, options, &found[*found_count]);
      api->ReleaseKeyValuePairs(options);
      if (status != NULL) return status;
      RETURN_IF_FAILED(ep_api->EpDevice_AddAllocatorInfo(found[*found_count], device_memory[number]));
      RETURN_IF_FAILED(ep_api->EpDevice_AddAllocatorInfo(found[*found_count], pinned_memory[number]));
      (*found_count)++;
    }
  }
  return NULL;
}

// ---- memory

typedef struct {
  OrtAllocator base;
  const OrtMemoryInfo* info;
  int counter;
} Allocator;

static void* ORT_API_CALL Allocate(OrtAllocator* allocator, size_t size) {
  void* block = NULL;
  counters[((Allocator*)allocator)->counter]++;
  return posix_memalign(&block, 256, size) == 0 ? memset(block, 0xFF, size) : NULL;
}

// A device's memory stays with the provider, as an arena's does: a replay writes to tensors in between that were given back long ago.
static void ORT_API_CALL Free(OrtAllocator* allocator, void* block) {
  if (((Allocator*)allocator)->counter == PINNED_BLOCKS) free(block);
}
static const OrtMemoryInfo* ORT_API_CALL AllocatorInfo(const OrtAllocator* allocator) { return ((const Allocator*)allocator)->info; }

static OrtStatusPtr ORT_API_CALL CreateAllocator(
    OrtEpFactory* factory, const OrtMemoryInfo* info, const OrtKeyValuePairs* options, OrtAllocator** allocator) {
  Allocator* created = calloc(1, sizeof(Allocator));
  created->base.version = ORT_API_VERSION;
  created->base.Alloc = Allocate;
  created->base.Free = Free;
  created->base.Info = AllocatorInfo;
  created->base.Reserve = Allocate;
  created->info = info;
  created->counter = ep_api->MemoryDevice_GetMemoryType(ep_api->MemoryInfo_GetMemoryDevice(info)) == OrtDeviceMemoryType_DEFAULT
                         ? DEVICE_BLOCKS
                         : PINNED_BLOCKS;
  *allocator = &created->base;
  return NULL;
}
static void ORT_API_CALL ReleaseAllocator(OrtEpFactory* factory, OrtAllocator* allocator) { free(allocator); }

static bool IsPinned(const OrtMemoryDevice* memory) {
  return ep_api->MemoryDevice_GetVendorId(memory) == VENDOR && ep_api->MemoryDevice_GetMemoryType(memory) != OrtDeviceMemoryType_DEFAULT;
}
static bool IsOurs(const OrtMemoryDevice* memory) {
  return ep_api->MemoryDevice_GetVendorId(memory) == VENDOR && ep_api->MemoryDevice_GetMemoryType(memory) == OrtDeviceMemoryType_DEFAULT;
}
static bool IsHost(const OrtMemoryDevice* memory) {
  return ep_api->MemoryDevice_GetDeviceType(memory) == OrtMemoryInfoDeviceType_CPU || IsPinned(memory);
}

static bool ORT_API_CALL CanCopy(const OrtDataTransferImpl* transfer, const OrtMemoryDevice* from, const OrtMemoryDevice* to) {
  return (IsOurs(from) || IsOurs(to)) && (IsOurs(from) || IsHost(from)) && (IsOurs(to) || IsHost(to));
}

// As a device to which sessions alone copy: with bytes, which no model here has, it is asked whether the environment does.
#ifdef HANDS_OVER
static OrtStatus* RefuseBytes(const OrtValue* tensor) {
  OrtTensorTypeAndShapeInfo* info = NULL;
  ONNXTensorElementDataType type;
  RETURN_IF_FAILED(api->GetTensorTypeAndShape(tensor, &info));
  RETURN_IF_FAILED(api->GetTensorElementType(info, &type));
  api->ReleaseTensorTypeAndShapeInfo(info);
  return type == ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 ? api->CreateStatus(ORT_EP_FAIL, "only sessions copy here") : NULL;
}
#endif

static OrtStatusPtr ORT_API_CALL CopyTensors(
    OrtDataTransferImpl* transfer, const OrtValue** from, OrtValue** to, OrtSyncStream** streams, size_t count) {
  for (size_t i = 0; i < count; i++) {
#ifdef HANDS_OVER
    RETURN_IF_FAILED(RefuseBytes(from[i]));
#endif
    const void* source = NULL;
    void* target = NULL;
    size_t bytes = 0;
    RETURN_IF_FAILED(api->GetTensorSizeInBytes(from[i], &bytes));
    RETURN_IF_FAILED(api->GetTensorData(from[i], &source));
    RETURN_IF_FAILED(api->GetTensorMutableData(to[i], &target));
    const OrtMemoryDevice* there = ep_api->Value_GetMemoryDevice(from[i]);
    const OrtMemoryDevice* here = ep_api->Value_GetMemoryDevice(to[i]);
    unsigned char scramble = IsOurs(there) == IsOurs(here) ? 0 : SCRAMBLED;
    for (size_t b = 0; b < bytes; b++) ((unsigned char*)target)[b] = ((const unsigned char*)source)[b] ^ scramble;
    if (IsOurs(here)) counters[COPIES_IN]++;
    if (IsOurs(there)) counters[COPIES_OUT]++;
    if (IsPinned(here) || IsPinned(there)) counters[PINNED_COPIES]++;
  }
  return NULL;
}
static void ORT_API_CALL ReleaseTransfer(OrtDataTransferImpl* transfer) {}
static OrtDataTransferImpl data_transfer;
static OrtStatusPtr ORT_API_CALL CreateTransfer(OrtEpFactory* factory, OrtDataTransferImpl** transfer) {
  *transfer = &data_transfer;
  return NULL;
}

// ---- the provider

typedef struct {
  const unsigned char* from;
  unsigned char* to;
  size_t count;
  bool is_integer;
} Operation;

typedef struct {
  int runs;
  bool captured;
  int operations;
  Operation operation[MOST_NODES];
} Graph;

typedef struct {
  OrtEp base;
  bool records;
  int number;
  Graph graphs[MOST_GRAPHS];
} Provider;

typedef struct {
  OrtNodeComputeInfo base;
  Provider* provider;
} Kernel;

static const char* ORT_API_CALL ProviderName(const OrtEp* provider) { return PROVIDER; }

// Takes graphs of Neg only, and of Neg beside Identity, which is left to the CPU.
static OrtStatusPtr ORT_API_CALL Capability(OrtEp* provider, const OrtGraph* graph, OrtEpGraphSupportInfo* info) {
  const OrtNode* nodes[MOST_NODES];
  bool negates[MOST_NODES];
  size_t count = 0;
  RETURN_IF_FAILED(api->Graph_GetNumNodes(graph, &count));
  if (count == 0 || count > MOST_NODES) return NULL;
  RETURN_IF_FAILED(api->Graph_GetNodes(graph, nodes, count));
  for (size_t i = 0; i < count; i++) {
    const char* type = NULL;
    RETURN_IF_FAILED(api->Node_GetOperatorType(nodes[i], &type));
    negates[i] = strcmp(type, "Neg") == 0;
    if (!negates[i] && strcmp(type, "Identity") != 0) return NULL;
  }
  OrtNodeFusionOptions options = {.ort_version_supported = ORT_API_VERSION};
  for (size_t i = 0; i < count; i++)
    if (negates[i]) RETURN_IF_FAILED(ep_api->EpGraphSupportInfo_AddNodesToFuse(info, &nodes[i], 1, &options));
  return NULL;
}

static void Negate(const Operation* operation) {
  size_t size = operation->is_integer ? sizeof(int64_t) : sizeof(float);
  for (size_t i = 0; i < operation->count; i++) {
    union { unsigned char bytes[sizeof(int64_t)]; float number; int64_t integer; } value;
    for (size_t b = 0; b < size; b++) value.bytes[b] = operation->from[i * size + b] ^ SCRAMBLED;
    if (operation->is_integer) value.integer = -value.integer;
    else value.number = -value.number;
    for (size_t b = 0; b < size; b++) operation->to[i * size + b] = value.bytes[b] ^ SCRAMBLED;
  }
}

static OrtStatusPtr ORT_API_CALL CreateState(OrtNodeComputeInfo* kernel, OrtNodeComputeContext* context, void** state) {
  *state = kernel;
  return NULL;
}
static void ORT_API_CALL ReleaseState(OrtNodeComputeInfo* kernel, void* state) {}

static OrtStatusPtr ORT_API_CALL Compute(OrtNodeComputeInfo* kernel, void* state, OrtKernelContext* context) {
  const OrtValue* input = NULL;
  OrtValue* output = NULL;
  OrtTensorTypeAndShapeInfo* info = NULL;
  int64_t sizes[8];
  size_t rank = 0;
  Operation operation = {0};
  RETURN_IF_FAILED(api->KernelContext_GetInput(context, 0, &input));
  if (!IsOurs(ep_api->Value_GetMemoryDevice(input))) return api->CreateStatus(ORT_EP_FAIL, "the input is not on the device");
  RETURN_IF_FAILED(api->GetTensorTypeAndShape(input, &info));
  RETURN_IF_FAILED(api->GetDimensionsCount(info, &rank));
  RETURN_IF_FAILED(api->GetDimensions(info, sizes, rank));
  RETURN_IF_FAILED(api->GetTensorShapeElementCount(info, &operation.count));
  ONNXTensorElementDataType type;
  RETURN_IF_FAILED(api->GetTensorElementType(info, &type));
  operation.is_integer = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  api->ReleaseTensorTypeAndShapeInfo(info);
  RETURN_IF_FAILED(api->KernelContext_GetOutput(context, 0, sizes, rank, &output));
  RETURN_IF_FAILED(api->GetTensorData(input, (const void**)&operation.from));
  RETURN_IF_FAILED(api->GetTensorMutableData(output, (void**)&operation.to));
  Negate(&operation);
  Provider* provider = ((Kernel*)kernel)->provider;
  if (provider->records && provider->number >= 0) {
    Graph* graph = &provider->graphs[provider->number % MOST_GRAPHS];
    if (graph->runs == 1) graph->operation[graph->operations++] = operation;
  }
  return NULL;
}

static OrtStatusPtr ORT_API_CALL Compile(
    OrtEp* provider, const OrtGraph** graphs, const OrtNode** nodes, size_t count, OrtNodeComputeInfo** kernels, OrtNode** context_nodes) {
  for (size_t i = 0; i < count; i++) {
    Kernel* kernel = calloc(1, sizeof(Kernel));
    kernel->base.ort_version_supported = ORT_API_VERSION;
    kernel->base.CreateState = CreateState;
    kernel->base.Compute = Compute;
    kernel->base.ReleaseState = ReleaseState;
    kernel->provider = (Provider*)provider;
    kernels[i] = &kernel->base;
  }
  return NULL;
}
static void ORT_API_CALL ReleaseKernels(OrtEp* provider, OrtNodeComputeInfo** kernels, size_t count) {
  for (size_t i = 0; i < count; i++) free(kernels[i]);
}

static OrtStatusPtr ORT_API_CALL RunStart(OrtEp* base, const OrtRunOptions* options) {
  Provider* provider = (Provider*)base;
  const char* number = api->GetRunConfigEntry(options, "gpu_graph_id");
  provider->number = number == NULL ? 0 : atoi(number);
  counters[RUNS]++;
  if (provider->number == -1) counters[UNRECORDED]++;
  return NULL;
}
static OrtStatusPtr ORT_API_CALL RunEnd(OrtEp* base, const OrtRunOptions* options, bool sync) {
  Provider* provider = (Provider*)base;
  if (!provider->records || provider->number < 0) return NULL;
  Graph* graph = &provider->graphs[provider->number % MOST_GRAPHS];
  if (graph->runs++ == 1) {
    graph->captured = true;
    counters[RECORDED]++;
  }
  return NULL;
}
static bool ORT_API_CALL Records(const OrtEp* provider) { return ((const Provider*)provider)->records; }
static bool ORT_API_CALL IsRecorded(const OrtEp* provider, int number) {
  return number >= 0 && ((const Provider*)provider)->graphs[number % MOST_GRAPHS].captured;
}
static OrtStatusPtr ORT_API_CALL Replay(OrtEp* provider, int number) {
  const Graph* graph = &((const Provider*)provider)->graphs[number % MOST_GRAPHS];
  for (int i = 0; i < graph->operations; i++) Negate(&graph->operation[i]);
  counters[REPLAYED]++;
  return NULL;
}

static OrtStatus* Option(const OrtSessionOptions* options, const char* name, int* is_there) {
  char key[128];
  snprintf(key, sizeof key, "ep.%s.%s", PROVIDER, name);
  for (char* c = key; *c != '\0'; c++) *c = (char)tolower(*c);
  return api->HasSessionConfigEntry(options, key, is_there);
}

// An option "fail" makes it fail as a device without a driver does.
static OrtStatusPtr ORT_API_CALL CreateProvider(
    OrtEpFactory* factory, const OrtHardwareDevice* const* devices, const OrtKeyValuePairs* const* metadata, size_t count,
    const OrtSessionOptions* options, const OrtLogger* logger, OrtEp** provider) {
  int fails = 0;
  int records = 0;
  RETURN_IF_FAILED(Option(options, "fail", &fails));
  RETURN_IF_FAILED(Option(options, "enable_cuda_graph", &records));
  if (fails) return api->CreateStatus(ORT_EP_FAIL, "no capable device is detected");
  Provider* created = calloc(1, sizeof(Provider));
  created->records = records;
  created->base.ort_version_supported = ORT_API_VERSION;
  created->base.GetName = ProviderName;
  created->base.GetCapability = Capability;
  created->base.Compile = Compile;
  created->base.ReleaseNodeComputeInfos = ReleaseKernels;
  created->base.OnRunStart = RunStart;
  created->base.OnRunEnd = RunEnd;
  created->base.IsGraphCaptureEnabled = Records;
  created->base.IsGraphCaptured = IsRecorded;
  created->base.ReplayGraph = Replay;
  *provider = &created->base;
  return NULL;
}
static void ORT_API_CALL ReleaseProvider(OrtEpFactory* factory, OrtEp* provider) { free(provider); }
static bool ORT_API_CALL NoStreams(const OrtEpFactory* factory) { return false; }

OrtStatus* CreateEpFactories(
    const char* name, const OrtApiBase* base, const OrtLogger* logger, OrtEpFactory** factories, size_t most, size_t* count) {
  api = base->GetApi(ORT_API_VERSION);
  ep_api = api->GetEpApi();
  for (int number = 0; number < DEVICES; number++) {
    RETURN_IF_FAILED(api->CreateMemoryInfo_V2(
        "Test", OrtMemoryInfoDeviceType_GPU, VENDOR, number, OrtDeviceMemoryType_DEFAULT, 0, OrtDeviceAllocator, &device_memory[number]));
    RETURN_IF_FAILED(api->CreateMemoryInfo_V2(
        "Test pinned", OrtMemoryInfoDeviceType_GPU, VENDOR, number, OrtDeviceMemoryType_HOST_ACCESSIBLE, 0, OrtDeviceAllocator,
        &pinned_memory[number]));
  }
  data_transfer.ort_version_supported = ORT_API_VERSION;
  data_transfer.Release = ReleaseTransfer;
  data_transfer.CanCopy = CanCopy;
  data_transfer.CopyTensors = CopyTensors;
  OrtEpFactory* factory = calloc(1, sizeof(OrtEpFactory));
  factory->ort_version_supported = ORT_API_VERSION;
  factory->GetName = FactoryName;
  factory->GetVendor = FactoryVendor;
  factory->GetVendorId = FactoryVendorId;
  factory->GetVersion = FactoryVersion;
  factory->GetSupportedDevices = SupportedDevices;
  factory->CreateEp = CreateProvider;
  factory->ReleaseEp = ReleaseProvider;
  factory->CreateAllocator = CreateAllocator;
  factory->ReleaseAllocator = ReleaseAllocator;
  factory->CreateDataTransfer = CreateTransfer;
  factory->IsStreamAware = NoStreams;
  factories[0] = factory;
  *count = 1;
  return NULL;
}

OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  free(factory);
  return NULL;
}
