/* SPDX-License-Identifier: MIT */
/* What the kernel reads of the firmware's tables, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "acpi.h"
#include "acpi_power.h"

enum { ROOM_BYTES = 512 };

/* Tables as firmware makes them; the sanitizers guard the ends of each. */
static struct {
    _Alignas(16) uint8_t rsdp[36];
    uint8_t rsdt[44];
    uint8_t xsdt[52];
    uint8_t madt[ROOM_BYTES];
    uint8_t fadt[72];
    uint8_t dsdt[64];
} firmware;

static uint32_t madt_bytes;

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void seal(uint8_t *start, uint32_t bytes, uint32_t checksum_at)
{
    uint8_t sum = 0;
    start[checksum_at] = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + start[i]);
    start[checksum_at] = (uint8_t)-sum;
}

static void put_table(uint8_t *table, const char *signature, uint32_t bytes)
{
    memcpy(table, signature, 4);
    put32(table + 4, bytes);
    seal(table, bytes, 9);
}

static void put_entry(const uint8_t *entry)
{
    memcpy(firmware.madt + madt_bytes, entry, entry[1]);
    madt_bytes += entry[1];
}

static void put_processor(uint8_t id, uint8_t enabled)
{
    put_entry((const uint8_t[]){0, 8, id, id, enabled, 0, 0, 0});
}

static void begin(void)
{
    memset(&firmware, 0, sizeof(firmware));
    put32(firmware.madt + 36, 0xfee00000);
    firmware.madt[40] = 1;
    madt_bytes = 44;
}

/* Seals everything, from the MADT up. */
static void end(void)
{
    put_table(firmware.madt, "APIC", madt_bytes);
    put32(firmware.rsdt + 36, (uint32_t)(uintptr_t)firmware.rsdp); /* a table that is no MADT */
    put32(firmware.rsdt + 40, (uint32_t)(uintptr_t)firmware.madt);
    put_table(firmware.rsdt, "RSDT", 44);
    memcpy(firmware.rsdp, "RSD PTR ", 8);
    put32(firmware.rsdp + 16, (uint32_t)(uintptr_t)firmware.rsdt);
    seal(firmware.rsdp, 20, 8);
}

static const char *read_all(struct acpi_platform *platform)
{
    return acpi_read(firmware.rsdp, platform);
}

static void processors_and_controllers_are_read(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    put_processor(2, 1);
    put_entry((const uint8_t[]){1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0});
    put_entry((const uint8_t[]){2, 10, 0, 0, 2, 0, 0, 0, 5, 0}); /* an override: of no interest */
    put_entry((const uint8_t[]){4, 6, 255, 0, 0, 1}); /* nor an NMI */
    end();
    assert_null(read_all(&platform));
    assert_int_equal(platform.local_apic_address, 0xfee00000);
    assert_true(platform.has_8259);
    assert_int_equal(platform.processor_count, 2);
    assert_int_equal(platform.processors[0], 0);
    assert_int_equal(platform.processors[1], 2);
    assert_int_equal(platform.io_apic_count, 1);
    assert_int_equal(platform.io_apics[0], 0xfec00000);
}

static void a_processor_that_is_not_enabled_is_left_out(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    put_processor(1, 0);
    put_processor(3, 1);
    end();
    assert_null(read_all(&platform));
    assert_int_equal(platform.processor_count, 2);
    assert_int_equal(platform.processors[1], 3);
}

static void a_processor_that_is_listed_twice_is_one(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    put_processor(1, 1);
    put_processor(0, 1);
    put_processor(1, 1);
    end();
    assert_null(read_all(&platform));
    assert_int_equal(platform.processor_count, 2);
    assert_int_equal(platform.processors[1], 1);
}

static void the_first_eight_processors_are_read(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(255, 1); /* the id of all of them */
    for (uint8_t id = 0; id < 11; id++)
        put_processor(254 - id, 1);
    end();
    assert_null(read_all(&platform));
    assert_int_equal(platform.processor_count, ACPI_PROCESSORS_MAX);
    for (uint8_t id = 0; id < ACPI_PROCESSORS_MAX; id++)
        assert_int_equal(platform.processors[id], 254 - id);
}

static void more_io_apics_than_fit_are_refused(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    for (uint8_t id = 0; id < ACPI_IO_APICS_MAX; id++)
        put_entry((const uint8_t[]){1, 12, id, 0, 0, id, 0xc0, 0xfe, 24, 0, 0, 0});
    end();
    assert_null(read_all(&platform));
    assert_int_equal(platform.io_apic_count, ACPI_IO_APICS_MAX);
    put_entry((const uint8_t[]){1, 12, 16, 0, 0, 16, 0xc0, 0xfe, 24, 0, 0, 0});
    end();
    assert_string_equal(read_all(&platform),
                        "ACPI: the MADT lists more I/O APICs than the 16 this kernel can hold");
}

static void an_xsdt_serves_where_there_is_no_rsdt(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    end();
    put32(firmware.xsdt + 36, 1); /* one table above 4 GiB, out of reach */
    put32(firmware.xsdt + 40, 1);
    put32(firmware.xsdt + 44, (uint32_t)(uintptr_t)firmware.madt);
    put_table(firmware.xsdt, "XSDT", 52);
    firmware.rsdp[15] = 2;
    put32(firmware.rsdp + 16, 0);
    put32(firmware.rsdp + 24, (uint32_t)(uintptr_t)firmware.xsdt);
    seal(firmware.rsdp, 20, 8);
    assert_null(read_all(&platform));
    assert_int_equal(platform.processor_count, 1);
}

/* Two lists, of which the second leads to a MADT with one processor more. */
static void the_xsdt_is_used_where_there_are_both_and_it_is_sound(void **state)
{
    (void)state;
    static uint8_t other_madt[sizeof(firmware.madt)];
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    end();
    put32(firmware.xsdt + 36, (uint32_t)(uintptr_t)other_madt);
    put32(firmware.xsdt + 40, 0);
    put_table(firmware.xsdt, "XSDT", 44);
    put_processor(1, 1);
    put_table(firmware.madt, "APIC", madt_bytes);
    memcpy(other_madt, firmware.madt, sizeof(other_madt));
    madt_bytes -= 8;
    put_table(firmware.madt, "APIC", madt_bytes);
    put32(firmware.rsdp + 24, (uint32_t)(uintptr_t)firmware.xsdt);
    static const struct {
        uint8_t revision, damage;
        uint32_t processors;
    } cases[] = {{0, 0, 1}, {2, 0, 2}, {2, 1, 1}};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        firmware.rsdp[15] = cases[i].revision;
        seal(firmware.rsdp, 20, 8);
        firmware.xsdt[20] ^= cases[i].damage;
        assert_null(read_all(&platform));
        assert_int_equal(platform.processor_count, cases[i].processors);
    }
}

static void damaged_tables_are_refused_by_name(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    put_processor(0, 1);
    end();
    firmware.rsdp[9] ^= 1;
    assert_string_equal(read_all(&platform),
                        "ACPI: the RSDP has another signature, or a wrong checksum");
    firmware.rsdp[9] ^= 1;
    assert_null(read_all(&platform));
    firmware.madt[madt_bytes - 1] ^= 1;
    assert_string_equal(read_all(&platform),
                        "ACPI: there is no MADT, which lists the processors");
    firmware.madt[madt_bytes - 1] ^= 1;
    firmware.rsdt[20] ^= 1;
    assert_string_equal(read_all(&platform),
                        "ACPI: there is no MADT, which lists the processors");
}

static void an_entry_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const uint8_t lengths[] = {0, 1, 9, 255};
    for (size_t i = 0; i < sizeof(lengths); i++) {
        struct acpi_platform platform;
        begin();
        put_processor(0, 1);
        put_processor(1, 1);
        firmware.madt[madt_bytes - 7] = lengths[i];
        end();
        assert_string_equal(read_all(&platform),
                            "ACPI: an entry of the MADT is longer than the table, or has no "
                            "length");
    }
}

static void a_platform_without_processors_is_refused(void **state)
{
    (void)state;
    struct acpi_platform platform;
    begin();
    end();
    assert_string_equal(read_all(&platform), "ACPI: the MADT lists no processor");
}

static void the_rsdp_is_found_where_its_checksum_is_right(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t memory[256];
    begin();
    put_processor(0, 1);
    end();
    assert_null(acpi_search_rsdp(memory, memory + sizeof(memory)));
    memcpy(memory + 64, "RSD PTR ", 8);
    memcpy(memory + 144, firmware.rsdp, 36);
    assert_ptr_equal(acpi_search_rsdp(memory, memory + sizeof(memory)), memory + 144);
    assert_null(acpi_search_rsdp(memory, memory + 144 + 19));
}

/* --- switching off ------------------------------------------------------------------------------- */

/* Puts a FADT in the MADT's place, and a DSDT of a few bytes of AML behind it. */
static void end_with_power(const uint8_t *aml, uint32_t aml_bytes)
{
    begin();
    end();
    put32(firmware.fadt + 40, (uint32_t)(uintptr_t)firmware.dsdt);
    put32(firmware.fadt + 48, 0xb2);
    firmware.fadt[52] = 0xf1;
    put32(firmware.fadt + 64, 0x604);
    put_table(firmware.fadt, "FACP", sizeof(firmware.fadt));
    memcpy(firmware.dsdt + 36, aml, aml_bytes);
    put_table(firmware.dsdt, "DSDT", 36 + aml_bytes);
    put32(firmware.rsdt + 40, (uint32_t)(uintptr_t)firmware.fadt);
    put_table(firmware.rsdt, "RSDT", 44);
}

static void soft_off_is_found_by_its_package(void **state)
{
    (void)state;
    static const struct {
        uint8_t aml[20];
        uint32_t bytes;
        uint16_t value_a, value_b;
    } cases[] = {
        {{0x10, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x0a, 6, 0, 0}, 15,
         5 << 10 | 0x2000, 6 << 10 | 0x2000},
        {{0x08, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0}, 13, 0x2000, 0x2000},
        {{0, 0x08, '_', 'S', '5', '_', 0x12, 0x46, 0, 2, 1, 0x0a, 7}, 13, 1 << 10 | 0x2000,
         7 << 10 | 0x2000},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct acpi_power_off how;
        end_with_power(cases[i].aml, cases[i].bytes);
        assert_true(acpi_read_power_off(firmware.rsdp, &how));
        assert_int_equal(how.control_a, 0x604);
        assert_int_equal(how.control_b, 0);
        assert_int_equal(how.value_a, cases[i].value_a);
        assert_int_equal(how.value_b, cases[i].value_b);
        assert_int_equal(how.enable_port, 0xb2);
        assert_int_equal(how.enable_value, 0xf1);
    }
}

static void tables_that_do_not_say_how_to_switch_off_are_no_help(void **state)
{
    (void)state;
    static const struct {
        uint8_t aml[20];
        uint32_t bytes;
    } cases[] = {
        {{0, 0, 0, 0}, 4},
        {{0, 0x10, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x0a, 5}, 13}, /* no name */
        {{0, 0x08, '_', 'S', '5', '_', 0x13, 6, 4, 0x0a, 5, 0x0a, 5}, 13}, /* no package */
        {{0, 0x08, '_', 'S', '5', '_', 0x12, 6, 1, 0x0a, 5, 0x0a, 5}, 13}, /* of one element */
        {{0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x70, 5}, 13}, /* computed */
        {{0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 0x0a}, 12},    /* cut off */
        {{0, 0x08, '_', 'S', '5', '_', 0x12, 0xc6}, 8},
        {{0, 0x08, '_', 'S', '5', '_'}, 6},
    };
    struct acpi_power_off how;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        end_with_power(cases[i].aml, cases[i].bytes);
        assert_false(acpi_read_power_off(firmware.rsdp, &how));
    }
    assert_false(acpi_read_power_off(NULL, &how));
    begin();
    end();
    assert_false(acpi_read_power_off(firmware.rsdp, &how));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_and_controllers_are_read),
        cmocka_unit_test(a_processor_that_is_not_enabled_is_left_out),
        cmocka_unit_test(a_processor_that_is_listed_twice_is_one),
        cmocka_unit_test(the_first_eight_processors_are_read),
        cmocka_unit_test(more_io_apics_than_fit_are_refused),
        cmocka_unit_test(an_xsdt_serves_where_there_is_no_rsdt),
        cmocka_unit_test(the_xsdt_is_used_where_there_are_both_and_it_is_sound),
        cmocka_unit_test(damaged_tables_are_refused_by_name),
        cmocka_unit_test(an_entry_that_does_not_fit_is_refused),
        cmocka_unit_test(a_platform_without_processors_is_refused),
        cmocka_unit_test(the_rsdp_is_found_where_its_checksum_is_right),
        cmocka_unit_test(soft_off_is_found_by_its_package),
        cmocka_unit_test(tables_that_do_not_say_how_to_switch_off_are_no_help),
    };
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
