{#-
  The JSON lines of the relation `lines` (column `line`, its other columns kept), read by Spark's parser: adds
  `landed_values`, the JSON text of each value by its key, as Spark renders the value; null where the line is not exactly one
  JSON object (RFC 8259, with NaN and Infinity, which programs write), has a key twice at any depth, holds half a surrogate
  pair, or is beyond what the parser takes (names of 50,000 characters, numbers of 1,000, a depth of 1,000).

  Spark's parser stops after the first value of a text, whatever follows. So the line is put into a list, with its own hash
  behind it: only where the list has just these two was the line one value, for no line can hold its own hash.
-#}
{% macro _read_json_lines(lines) -%}
    with parsed as (
        select
            *,
            from_json('[' || line || ',"' || md5(line) || '"]', 'array<variant>', map('allowSingleQuotes', 'false')) as read
        from {{ lines }}
    ),

    objects as (
        select
            *,
            case
                when
                    size(read) = 2
                    and try_variant_get(get(read, 1), '$', 'string') = md5(line)
                    and (not contains(line, '\\u') or line rlike {{ _text_literal(_whole_characters_pattern()) }})
                    -- null where the value is no object.
                    then try_variant_get(get(read, 0), '$', 'map<string, variant>')
            end as members
        from parsed
    )

    select
        * except (read, members),
        transform_values(
            members,
            (key, value) -> case
                -- As a text these have quotes of their own.
                when
                    to_json(value) in ('"NaN"', '"Infinity"', '"-Infinity"')
                    and schema_of_variant(value) = 'DOUBLE'
                    then replace(to_json(value), '"', '')
                else to_json(value)
            end
        ) as landed_values
    from objects
{%- endmacro %}


{#-
  A JSON text in which no escape is half of a surrogate pair: such a half is no character, and Spark would hold a question
  mark for it. The loop gives nothing back (`*+`), so that Java's matcher needs no stack for it, however long the text is.
-#}
{% macro _whole_characters_pattern() -%}
    {%- set high, low = 'd[89ab][0-9a-f]{2}', 'd[c-f][0-9a-f]{2}' -%}
    (?si)^(?:[^\\]|\\[^u]|\\u(?!{{ high }}|{{ low }})|\\u{{ high }}\\u{{ low }})*+\z
{%- endmacro %}


{#- What a JSON string says: the text in its quotes, escapes read. -#}
{% macro _json_string_text(json) -%}
    if(
        contains({{ json }}, '\\'),
        from_json('[' || {{ json }} || ']', 'array<string>')[0],
        substring({{ json }}, 2, length({{ json }}) - 2)
    )
{%- endmacro %}


{#- The text of a JSON scalar: of a string what it says, of others their JSON; null for null. -#}
{% macro _json_text(json) -%}
    case
        when startswith({{ json }}, '"')
            then {{ _json_string_text(json) }}
        when {{ json }} <> 'null'
            then {{ json }}
    end
{%- endmacro %}


{#-
  What a JSON text is: `number`, `string`, `boolean`, `object`, `array`; `NaN`, or `infinity`, which a number too large
  for a double is as well; null for null.
-#}
{% macro _json_type(json) -%}
    case
        when {{ json }} = 'null'
            then null
        when startswith({{ json }}, '"')
            then 'string'
        when startswith({{ json }}, '{')
            then 'object'
        when startswith({{ json }}, '[')
            then 'array'
        when {{ json }} in ('true', 'false')
            then 'boolean'
        when {{ json }} = 'NaN'
            then 'NaN'
        when {{ json }} like '%Infinity' or abs(cast({{ json }} as double)) = double('infinity')
            then 'infinity'
        else 'number'
    end
{%- endmacro %}
