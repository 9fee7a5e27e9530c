// Counts in its memory, with objects that live and die, and writes how far it is.
import java.nio.file.*;
import java.util.*;

public class Work {
    public static void main(String[] args) throws Exception {
        String begun = UUID.randomUUID().toString();
        Map<Long, byte[]> kept = new HashMap<>();
        long sum = 0;
        for (long count = 0; ; count++) {
            kept.put(count % 2000, new byte[16 << 10]);
            for (byte[] one : kept.values()) sum += one[0] = (byte) (count + one.length);
            if (count % 20 == 0) {
                Files.writeString(Path.of("/state.new"), begun + " " + count + " 0\n");
                Files.move(Path.of("/state.new"), Path.of("/state"), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
                Thread.sleep(5);
            }
        }
    }
}
