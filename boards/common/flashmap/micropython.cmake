# The module `flashmap` of the ESP32 boards, as MicroPython's builds take modules in C.
add_library(usermod_flashmap INTERFACE)
target_sources(usermod_flashmap INTERFACE ${CMAKE_CURRENT_LIST_DIR}/flashmap.c)
target_include_directories(usermod_flashmap INTERFACE ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(usermod INTERFACE usermod_flashmap)
