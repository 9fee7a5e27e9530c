/* What the workload has open beside its own files, and whether it still does what it did. */
void open_to_read(const char *path);
void open_socket(const char *kind);
void watch_folder(const char *path);
long broken(void);
