import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;

/** Keeps the state of each profile in a table, and prints it: arguments are the bootstrap servers and the topic. */
public class ProfileTable {
    public static void main(String[] arguments) {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "profile-table");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        // States are written in transactions.
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.ISOLATION_LEVEL_CONFIG), "read_committed");

        var builder = new StreamsBuilder();
        var texts = Consumed.with(Serdes.String(), Serdes.String());
        builder.globalTable(arguments[1], texts, Materialized.as(Stores.inMemoryKeyValueStore("states")));
        try (var streams = new KafkaStreams(builder.build(), settings)) {
            // Returns when the table has the states of all profiles. From then on it follows the topic.
            streams.start();
            var stored = StoreQueryParameters.fromNameAndType(
                "states", QueryableStoreTypes.<String, String>keyValueStore());
            try (var states = streams.store(stored).all()) {
                states.forEachRemaining(state -> System.out.println(json(state.value)));
            }
        }
    }

    /** The value, or an error if the service wrote it with KAFKA_VALUE_FORMAT=avro: no JSON begins with a zero. */
    private static String json(String value) {
        if (value.startsWith("\0")) {
            throw new IllegalStateException("a state is Avro: this program needs KAFKA_VALUE_FORMAT=json");
        }
        return value;
    }
}
