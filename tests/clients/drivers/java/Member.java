package ottla;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** A member of a group, polled in a thread of its own. */
final class Member extends Thread {
    private final KafkaConsumer<byte[], byte[]> consumer;
    private List<Integer> partitions = List.of();
    private List<Map<String, Object>> records = new ArrayList<>();
    private RuntimeException failure;
    private volatile boolean leaving;

    Member(KafkaConsumer<byte[], byte[]> consumer) {
        this.consumer = consumer;
        setDaemon(true);
        start();
    }

    @Override
    public void run() {
        try (consumer) {
            while (!leaving) {
                var polled = consumer.poll(Duration.ofMillis(100));
                synchronized (this) {
                    polled.forEach(record -> records.add(Rpc.record(record)));
                    partitions = consumer.assignment().stream().map(TopicPartition::partition).toList();
                }
            }
        } catch (RuntimeException error) {
            synchronized (this) {
                failure = error;
            }
        }
    }

    synchronized Map<String, Object> takeState() {
        if (failure != null) {
            throw failure;
        }
        var taken = records;
        records = new ArrayList<>();
        return Map.of("partitions", partitions, "records", taken);
    }

    void leave() throws InterruptedException {
        leaving = true;
        join();
        if (failure != null) {
            throw failure;
        }
    }
}
