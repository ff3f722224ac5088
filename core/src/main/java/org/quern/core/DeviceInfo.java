package org.quern.core;

import java.util.Map;

/// A device that a backend can run on.
///
/// @param backend the backend's name, such as `cpu`
/// @param index which of the backend's devices, from 0
/// @param name what the driver calls it
/// @param memoryBytes how much memory it has
/// @param details what else is worth showing, in order: vector width, driver version
public record DeviceInfo(
    String backend, int index, String name, long memoryBytes, Map<String, String> details) {}
