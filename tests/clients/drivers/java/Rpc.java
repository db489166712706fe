package ottla;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.protocol.Errors;

/** One operation for each line of JSON on stdin, one line for its result on stdout. */
final class Rpc {
    /** How long a driver waits for the records it is asked to consume. */
    static final Duration TAKE_TIME = Duration.ofSeconds(15);

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final FileOutputStream ANSWERS = new FileOutputStream(FileDescriptor.out);

    private Rpc() {}

    /** Does what its name says. */
    interface Operation {
        Object run(JsonNode arguments) throws Exception;
    }

    /** Runs operations as they are asked for, until stdin ends. */
    static void serve(String client, Map<String, Operation> operations) throws IOException {
        say(Map.of("client", client));
        var requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = requests.readLine(); line != null; line = requests.readLine()) {
            var arguments = JSON.readTree(line);
            say(answer(operations.get(arguments.get("op").asText()), arguments));
        }
    }

    private static Map<String, Object> answer(Operation operation, JsonNode arguments) {
        var answer = new HashMap<String, Object>();
        try {
            answer.put("result", operation.run(arguments));
        } catch (Exception error) {
            error.printStackTrace();
            var cause = error instanceof ExecutionException ? error.getCause() : error;
            answer.put("error", cause instanceof ApiException ? Errors.forException(cause).code() : null);
            answer.put("message", cause.toString());
        }
        return answer;
    }

    /** Writes a line in one piece. */
    static void say(Object message) throws IOException {
        var line = JSON.writeValueAsBytes(message);
        var ended = Arrays.copyOf(line, line.length + 1);
        ended[line.length] = '\n';
        ANSWERS.write(ended);
    }

    /** Opens when stdin ends, by which programs that run on their own are told to stop. */
    static CountDownLatch stdinEnded() {
        var ended = new CountDownLatch(1);
        var reader = new Thread(() -> {
            try {
                System.in.transferTo(OutputStream.nullOutputStream());
            } catch (IOException error) {
                error.printStackTrace();
            }
            ended.countDown();
        });
        reader.setDaemon(true);
        reader.start();
        return ended;
    }

    /** The bytes that an argument stands for. */
    static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    /** A received record in the form of the protocol. */
    static Map<String, Object> record(ConsumerRecord<byte[], byte[]> record) {
        var headers = new ArrayList<List<Object>>();
        record.headers().forEach(header -> headers.add(Arrays.asList(header.key(), header.value())));
        var fields = new HashMap<String, Object>();
        fields.put("partition", record.partition());
        fields.put("offset", record.offset());
        fields.put("timestamp", record.timestamp());
        fields.put("key", record.key());
        fields.put("value", record.value());
        fields.put("headers", headers);
        return fields;
    }
}
