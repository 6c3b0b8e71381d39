/* SPDX-License-Identifier: Apache-2.0
 *
 * The header alone, as C99, C11 and C++17, with every initialiser. */
#include "aimdb.h"

int main(void) {
    aimdb_config_t config = AIMDB_CONFIG_INIT;
    aimdb_record_config_t record = AIMDB_RECORD_CONFIG_INIT;
    aimdb_producer_config_t producer = AIMDB_PRODUCER_CONFIG_INIT;
    aimdb_consumer_config_t consumer = AIMDB_CONSUMER_CONFIG_INIT;
    aimdb_message_t message = AIMDB_MESSAGE_INIT;
    aimdb_consumer_stats_t consumer_stats = AIMDB_CONSUMER_STATS_INIT;
    aimdb_record_stats_t record_stats = AIMDB_RECORD_STATS_INIT;
    aimdb_database_stats_t database_stats = AIMDB_DATABASE_STATS_INIT;
    return config.struct_size + record.struct_size + producer.struct_size + consumer.struct_size +
                   message.struct_size + consumer_stats.struct_size + record_stats.struct_size +
                   database_stats.struct_size ==
           0;
}
