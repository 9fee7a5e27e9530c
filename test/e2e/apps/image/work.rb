# Counts in its memory, in threads.
require "securerandom"
begun = SecureRandom.uuid
counts = Queue.new
Thread.new { n = 0; loop { counts << (n += 1); sleep 0.001 } }
wrong = 0
last = 0
loop do
  count = counts.pop
  wrong += 1 if count != last + 1
  last = count
  File.write("/state.new", "#{begun} #{count} #{wrong}\n")
  File.rename("/state.new", "/state")
end
