{#- The form of a landed time: YYYY-MM-DD, T or a space, HH:MM:SS, then maybe a fraction, then maybe Z or an offset. -#}
{% macro _time_pattern() -%}
    ^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?\\z
{%- endmacro %}


{#-
  A landed text as a timestamp; null where it is no time. A cast alone is lenient (12:30 would be today): the text must
  have the whole form, and name a real time.
-#}
{% macro _landed_time(text) -%}
    case
        when {{ text }} rlike '{{ _time_pattern() }}'
            then try_cast({{ text }} as timestamp)
    end
{%- endmacro %}


{#- The first moment at which a landed row can be valid. -#}
{% macro _earliest_valid_at() -%}
    timestamp'{{ var('earliest_valid_date') }} 00:00:00'
{%- endmacro %}
