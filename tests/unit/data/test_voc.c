/* Annotations of PASCAL VOC: what VOC writes is read, in any order, parts of objects do not count; what is no XML of this kind,
 * or no annotation, is named with its line; boxes go with their picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/voc_impl.h"
#include "data/xml_impl.h"
#include "hiss/alloc.h"

static char folder[] = "/tmp/hiss-voc-XXXXXX";
static char path[64];
static hiss_arena *arena;

static int setup(void **state) {
    (void)state;
    arena = hiss_arena_create();
    snprintf(path, sizeof path, "%s/a.xml", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    hiss_arena_destroy(arena);
    return hiss_alloc_live() != 0;
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

/* ---- XML ---- */

static data_element *parse(const char *text, hiss_error *err) {
    data_element *root = NULL;
    const hiss_status status = data_xml_parse("a.xml", text, strlen(text), arena, &root, err);
    assert_true((status == HISS_OK) == (root != NULL));
    assert_true(status == HISS_OK || status == HISS_EUSER);
    return root;
}

static void elements(void **state) {
    (void)state;
    hiss_error err = {0};
    const data_element *root =
        parse("\xEF\xBB\xBF<?xml version=\"1.0\"?>\r\n<!-- <b> -- > -->\n<a x='>' y = \"</a>\">\n one "
              "<b/>&lt;&#65;&#x42;&amp;<c >\ttwo&quot;\n</c><b.2>3</b.2 > four&apos;&gt;&#xe9;</a>\n<!---->",
              &err);
    assert_non_null(root);
    assert_string_equal(root->name, "a");
    assert_int_equal(root->line, 3);
    assert_string_equal(root->text, "one <AB& four'>\xC3\xA9");
    const data_element *c = data_xml_child(root, "c", NULL);
    assert_string_equal(c->text, "two\"");
    assert_int_equal(c->line, 4);
    assert_string_equal(data_xml_child(root, "b", NULL)->text, "");
    assert_null(data_xml_child(root, "b", c));
    assert_string_equal(data_xml_child(root, "b.2", c)->text, "3");
    assert_null(c->child);
}

static void broken_xml(void **state) {
    (void)state;
    static const char *const broken[][2] = {
        {"", "a.xml:1: is no XML that is read here: there is no element"},
        {"<!-- a -->\n", "a.xml:2: is no XML that is read here: there is no element"},
        {"text", ":1: is no XML that is read here: text before the first element"},
        {"<a></a>\n\nx", ":3: is no XML that is read here: text behind the first element"},
        {"<a></a><b></b>", "a second element behind the first"},
        {"<a>\n<b>\n</a>", ":3: is no XML that is read here: </a> where <b> of line 2 is open"},
        {"<a>\n<b>", "it ends, and <b> of line 2 is open; is it all there?"},
        {"<a>", "it ends, and <a> of line 1 is open"},
        {"<a", "<a does not end with >"},
        {"<a>\n</a", ":2: is no XML that is read here: </a does not end with >"},
        {"</a>", "</a> without a <a>"},
        {"<a x></a>", "attribute x has no value in quotes"},
        {"<a x=1></a>", "attribute x has no value in quotes"},
        {"<a x='1></a>", "an attribute does not end; expected '"},
        {"<a x='1'y='2'/>", "no space before an attribute"},
        {"<a / >", "<a does not end with >"},
        {"<a>< b/></a>", "an element has no name"},
        {"<1/>", "an element has no name"},
        {"<a>\n<!-- </a>", ":2: is no XML that is read here: a comment does not end; expected -->"},
        {"<?xml", "<? does not end; expected ?>"},
        {"<!DOCTYPE a><a/>", "<! begins no comment; document types and CDATA are not read"},
        {"<a><![CDATA[b]]></a>", "<! begins no comment"},
        {"<a>R&D</a>", "'&D</a>' is no entity; write &amp; for an ampersand"},
        {"<a>&nbsp;</a>", "'&nbsp;</a>' is no entity"},
        {"<a>&#0;</a>", "is no entity"},
        {"<a>&#x110000;</a>", "is no entity"},
        {"<a>&#xD800;</a>", "is no entity"},
        {"<a>&#-5;</a>", "is no entity"},
        {"<a>&#12", "'&#12' is no entity"},
        {"<a>&", "'&' is no entity"},
        {"<a234567890123456789012345678901234567890123456789012345678901234567890/>",
         "the name of an element is longer than 63 characters"},
    };
    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        hiss_error err = {0};
        if (parse(broken[k][0], &err) || !strstr(err.text, broken[k][1]) || strchr(err.text, '\n')) {
            fail_msg("'%s' gives '%s' instead of '%s'", broken[k][0], err.text, broken[k][1]);
        }
    }
    hiss_error err = {0};
    data_element *root;
    assert_int_equal(data_xml_parse("a.xml", "<a>\0</a>", 8, arena, &root, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "a byte of 0"));
    char deep[4 * (DATA_XML_DEPTH + 1) + 1] = "";
    for (int k = 0; k <= DATA_XML_DEPTH; k++) {
        strcat(deep, "<a>");
    }
    assert_null(parse(deep, &err));
    assert_non_null(strstr(err.text, "elements in one another, more than 64"));
}

/* ---- annotations ---- */

static hiss_status read_text(const char *text, data_voc *out, hiss_error *err) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return data_voc_read(path, arena, out, err);
}

static void annotations(void **state) {
    (void)state;
    data_voc v;
    hiss_error err = {0};
    /* clang-format off */
    assert_int_equal(read_text(
        "<annotation>\n\t<folder>VOC2007</folder>\n\t<filename>000001.jpg</filename>\n"
        "\t<owner><name>R&amp;D</name></owner>\n"
        "\t<size>\n\t\t<width>353</width>\n\t\t<height>500</height>\n\t\t<depth>3</depth>\n\t</size>\n"
        "\t<segmented>0</segmented>\n"
        "\t<object>\n\t\t<name>dog</name>\n\t\t<pose>Left</pose>\n\t\t<truncated>1</truncated>\n\t\t<difficult>0</difficult>\n"
        "\t\t<bndbox>\n\t\t\t<xmin>48</xmin>\n\t\t\t<ymin>240</ymin>\n\t\t\t<xmax>195</xmax>\n\t\t\t<ymax>371</ymax>\n\t\t</bndbox>\n\t</object>\n"
        "\t<object><part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
        "<bndbox><ymax>498.5</ymax><xmax>352.25</xmax><ymin>12</ymin><xmin>8</xmin></bndbox><difficult> 1 </difficult><name>\n person </name></object>\n"
        "<object><name>a b</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>"
        "</annotation>\n", &v, &err), HISS_OK);
    /* clang-format on */
    assert_true(v.W == 353 && v.H == 500);
    assert_int_equal(v.count, 3);
    assert_string_equal(v.all[0].class, "dog");
    assert_false(v.all[0].difficult);
    assert_true(v.all[0].x0 == 47 && v.all[0].y0 == 239 && v.all[0].x1 == 195 && v.all[0].y1 == 371);
    assert_string_equal(v.all[1].class, "person");
    assert_true(v.all[1].difficult);
    assert_true(v.all[1].x0 == 7 && v.all[1].y0 == 11 && v.all[1].x1 == 352.25 && v.all[1].y1 == 498.5);
    assert_string_equal(v.all[2].class, "a b");
    assert_true(v.all[2].x1 - v.all[2].x0 == 1);
    assert_int_equal(read_text("<annotation/>", &v, &err), HISS_OK);
    assert_true(v.count == 0 && v.W == 0);
}

static void broken_annotations(void **state) {
    (void)state;
#define BOX(x0, y0, x1, y1)                                                                                            \
    "<bndbox><xmin>" x0 "</xmin><ymin>" y0 "</ymin><xmax>" x1 "</xmax><ymax>" y1 "</ymax></bndbox>"
#define OBJECT(inside) "<annotation>\n<object>\n" inside "</object></annotation>"
    static const char *const broken[][2] = {
        {"<html/>", "a.xml:1: <html>; expected an <annotation> of PASCAL VOC"},
        {OBJECT(BOX("1", "1", "2", "2")), "a.xml:2: <object> has no <name>; expected one"},
        {OBJECT("<name>a</name>"), ":2: <object> has no <bndbox>"},
        {OBJECT("<name>a</name>\n<name>b</name>"), ":4: a second <name> in the <object> of line 2; expected one"},
        {OBJECT("<name> </name>" BOX("1", "1", "2", "2")), ":3: <name> is empty; expected the class"},
        {OBJECT("<name>a\nb</name>" BOX("1", "1", "2", "2")), ":3: a class of several lines"},
        {OBJECT("<name>a</name><difficult>yes</difficult>" BOX("1", "1", "2", "2")),
         ":3: <difficult> is 'yes'; expected 0 or 1"},
        {OBJECT("<name>a</name>\n" BOX("left", "1", "2", "2")), ":4: <xmin> is 'left'; expected a number of pixels"},
        {OBJECT("<name>a</name>" BOX("1", "", "2", "2")), ":3: <ymin> is ''"},
        {OBJECT("<name>a</name>" BOX("1", "1", "nan", "2")), "<xmax> is 'nan'"},
        {OBJECT("<name>a</name>" BOX("1", "1", "2", "1e300")), "<ymax> is '1e300'"},
        {OBJECT("<name>a</name>" BOX("3", "1", "2", "2")),
         ":3: a <bndbox> from x 3 to 2, y 1 to 2; expected xmin <= xmax"},
        {OBJECT("<name>a</name><bndbox><xmin>1</xmin></bndbox>"), "<bndbox> has no <ymin>"},
        {"<annotation><size><width>5</width></size></annotation>", "<size> has no <height>"},
        {"<annotation>\n<size/><size/></annotation>", ":2: a second <size> in the <annotation> of line 1"},
    };
    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        hiss_error err = {0};
        data_voc v;
        if (read_text(broken[k][0], &v, &err) != HISS_EUSER || !strstr(err.text, broken[k][1]) ||
            strchr(err.text, '\n')) {
            fail_msg("'%s' gives '%s' instead of '%s'", broken[k][0], err.text, broken[k][1]);
        }
    }
    hiss_error err = {0};
    data_voc v;
    assert_int_equal(data_voc_read("/nonexistent/a.xml", arena, &v, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "/nonexistent/a.xml: cannot be read: No such file"));
}

/* ---- the stored picture ---- */

/* A white box on black stays where its picture shows it after scaling. */
static void boxes_go_with_pictures(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{40, 60}, {60, 40}, {48, 48}, {120, 50}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t H = sizes[k][0], W = sizes[k][1], height = 24, width = 20;
        const data_voc_object o = {
            "a", 1, false, (double)W / 2 - 8, (double)H / 2 - 4, (double)W / 2 + 4, (double)H / 2 + 8};
        data_image image = {H, W, 1, hiss_alloc((size_t)(H * W))};
        memset(image.pixels, 0, (size_t)(H * W));
        for (int64_t i = 0; i < H * W; i++) {
            const double x = (double)(i % W), y = (double)(i / W);
            image.pixels[i] = x >= o.x0 && x < o.x1 && y >= o.y0 && y < o.y1 ? 255 : 0;
        }
        uint8_t small[24 * 20];
        data_image_fit(&image, height, width, 1, small);
        data_object placed;
        assert_true(data_voc_place(&o, 3, H, W, height, width, &placed));
        assert_true(placed.judged && placed.class == 3);
        double sum = 0, of_x = 0, of_y = 0;
        for (int64_t i = 0; i < height * width; i++) {
            sum += small[i] / 255.0;
            of_x += small[i] / 255.0 * ((double)(i % width) + 0.5);
            of_y += small[i] / 255.0 * ((double)(i / width) + 0.5);
        }
        assert_true(fabs(sum - (placed.x1 - placed.x0) * (placed.y1 - placed.y0)) < 0.02 * sum);
        assert_true(fabs(of_x / sum - (placed.x0 + placed.x1) / 2) < 0.05);
        assert_true(fabs(of_y / sum - (placed.y0 + placed.y1) / 2) < 0.05);
        data_image_free(&image);
    }
}

/* 100 x 60 stored as 30 x 30: columns 20 to 80 are kept, by half. */
static void what_is_cut_off(void **state) {
    (void)state;
    const struct {
        data_voc_object o;
        bool inside, judged;
        double x0, x1;
    } cases[] = {
        {{"a", 1, false, 0, 0, 20, 60}, false, false, 0, 0},   {{"a", 1, false, 0, 0, 40, 60}, true, true, 0, 10},
        {{"a", 1, false, 0, 0, 39, 60}, true, false, 0, 9.5},  {{"a", 1, false, 70, 0, 500, 60}, true, false, 25, 30},
        {{"a", 1, false, 60, 0, 100, 60}, true, true, 20, 30}, {{"a", 1, true, 60, 0, 70, 60}, true, false, 20, 25},
        {{"a", 1, false, 90, 0, 95, 60}, false, false, 0, 0},  {{"a", 1, false, 500, 0, 600, 60}, false, false, 0, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        data_object out;
        assert_int_equal(data_voc_place(&cases[k].o, 0, 60, 100, 30, 30, &out), cases[k].inside);
        if (cases[k].inside) {
            assert_int_equal(out.judged, cases[k].judged);
            assert_true(out.x0 == cases[k].x0 && out.x1 == cases[k].x1 && out.y0 == 0 && out.y1 == 30);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(elements, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_xml, setup, teardown),
        cmocka_unit_test_setup_teardown(annotations, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_annotations, setup, teardown),
        cmocka_unit_test(boxes_go_with_pictures),
        cmocka_unit_test(what_is_cut_off),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
