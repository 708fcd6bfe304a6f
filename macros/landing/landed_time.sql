{#- The form of a landed time: YYYY-MM-DD, T or a space, HH:MM:SS, then maybe a fraction, then maybe Z or an offset. -#}
{% macro time_pattern() -%}
    ^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?\\z
{%- endmacro %}


{#-
  A landed text as a timestamp; null where it is no time. A cast alone is lenient (12:30 would be today): the text must
  have the whole form, and name a real time.
-#}
{% macro landed_time(text) -%}
    case
        when {{ text }} rlike '{{ time_pattern() }}'
            then try_cast({{ text }} as timestamp)
    end
{%- endmacro %}


{#- Whether a time may be: not before earliest_valid_date, not after its file's modification; null where it is none. -#}
{% macro is_time_valid(moment) -%}
    ({{ moment }} >= {{ earliest_valid_at() }} and {{ moment }} <= file_modified_at)
{%- endmacro %}


{#- What is wrong with a time, as elements of an array, null where nothing is: its text, and the timestamp read from it. -#}
{% macro time_reasons(text, moment) -%}
    case when nullif({{ text }}, '') is null then 'time_missing' end,
    case when {{ text }} <> '' and {{ moment }} is null then 'time_malformed' end,
    case when {{ moment }} > file_modified_at then 'time_in_future' end,
    case when {{ moment }} < {{ earliest_valid_at() }} then 'time_too_early' end
{%- endmacro %}
