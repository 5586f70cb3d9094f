// The smallest execution provider that ONNX Runtime can register: it names one device (the CPU) and takes no node of any model, so the
// CPU provider runs them all. Compiled by the tests where there are a compiler and ONNX Runtime's headers.
#include <stdbool.h>
#include <stdlib.h>
#include "onnxruntime_c_api.h"

static const OrtApi* api;

static const char* ORT_API_CALL FactoryName(const OrtEpFactory* factory) { return "TestExecutionProvider"; }
static const char* ORT_API_CALL FactoryVendor(const OrtEpFactory* factory) { return "Test"; }
static uint32_t ORT_API_CALL FactoryVendorId(const OrtEpFactory* factory) { return 0; }
static const char* ORT_API_CALL FactoryVersion(const OrtEpFactory* factory) { return "1.0.0"; }
static const char* ORT_API_CALL ProviderName(const OrtEp* provider) { return "TestExecutionProvider"; }

static OrtStatusPtr ORT_API_CALL SupportedDevices(
    OrtEpFactory* factory, const OrtHardwareDevice* const* devices, size_t count, OrtEpDevice** found, size_t most, size_t* found_count) {
  *found_count = 0;
  for (size_t i = 0; i < count && *found_count < most; i++) {
    if (api->HardwareDevice_Type(devices[i]) != OrtHardwareDeviceType_CPU) continue;
    OrtStatusPtr status = api->GetEpApi()->CreateEpDevice(factory, devices[i], NULL, NULL, &found[*found_count]);
    if (status != NULL) return status;
    (*found_count)++;
  }
  return NULL;
}

static OrtStatusPtr ORT_API_CALL Capability(OrtEp* provider, const OrtGraph* graph, OrtEpGraphSupportInfo* info) { return NULL; }

// An option "fail" makes it fail as a device without a driver does.
static OrtStatusPtr ORT_API_CALL CreateProvider(
    OrtEpFactory* factory, const OrtHardwareDevice* const* devices, const OrtKeyValuePairs* const* metadata, size_t count,
    const OrtSessionOptions* options, const OrtLogger* logger, OrtEp** provider) {
  int fails = 0;
  OrtStatusPtr status = api->HasSessionConfigEntry(options, "ep.testexecutionprovider.fail", &fails);
  if (status != NULL) return status;
  if (fails) return api->CreateStatus(ORT_EP_FAIL, "no capable device is detected");
  *provider = calloc(1, sizeof(OrtEp));
  (*provider)->ort_version_supported = ORT_API_VERSION;
  (*provider)->GetName = ProviderName;
  (*provider)->GetCapability = Capability;
  return NULL;
}

static void ORT_API_CALL ReleaseProvider(OrtEpFactory* factory, OrtEp* provider) { free(provider); }

// The device is the CPU: nothing to allocate or to copy.
static OrtStatusPtr ORT_API_CALL NoAllocator(
    OrtEpFactory* factory, const OrtMemoryInfo* info, const OrtKeyValuePairs* options, OrtAllocator** allocator) {
  *allocator = NULL;
  return NULL;
}
static void ORT_API_CALL ReleaseNoAllocator(OrtEpFactory* factory, OrtAllocator* allocator) {}
static OrtStatusPtr ORT_API_CALL NoTransfer(OrtEpFactory* factory, OrtDataTransferImpl** transfer) {
  *transfer = NULL;
  return NULL;
}
static bool ORT_API_CALL NoStreams(const OrtEpFactory* factory) { return false; }

OrtStatus* CreateEpFactories(
    const char* name, const OrtApiBase* base, const OrtLogger* logger, OrtEpFactory** factories, size_t most, size_t* count) {
  api = base->GetApi(ORT_API_VERSION);
  OrtEpFactory* factory = calloc(1, sizeof(OrtEpFactory));
  factory->ort_version_supported = ORT_API_VERSION;
  factory->GetName = FactoryName;
  factory->GetVendor = FactoryVendor;
  factory->GetVendorId = FactoryVendorId;
  factory->GetVersion = FactoryVersion;
  factory->GetSupportedDevices = SupportedDevices;
  factory->CreateEp = CreateProvider;
  factory->ReleaseEp = ReleaseProvider;
  factory->CreateAllocator = NoAllocator;
  factory->ReleaseAllocator = ReleaseNoAllocator;
  factory->CreateDataTransfer = NoTransfer;
  factory->IsStreamAware = NoStreams;
  factories[0] = factory;
  *count = 1;
  return NULL;
}

OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) {
  free(factory);
  return NULL;
}
