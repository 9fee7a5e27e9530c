# Counts in its memory.
begun <- paste(sample(0:9, 20, TRUE), collapse = "")
values <- matrix(runif(1e6), 1000)
total <- sum(values)
count <- 0
repeat {
  values <- values[, c(2:1000, 1)]
  count <- count + 1
  wrong <- as.integer(abs(sum(values) - total) > 1e-3)
  writeLines(paste(begun, count, wrong), "/state.new")
  file.rename("/state.new", "/state")
  Sys.sleep(0.01)
}
